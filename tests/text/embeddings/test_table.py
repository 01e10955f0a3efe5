"""A frozen encoder as a table of its embeddings."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from hybrid_qproj import ClassicalProjection
from hybrid_qproj.heads.checkpoint import CheckpointError
from hybrid_qproj.sbert import Encoder, ProjectionHead
from hybrid_qproj.text.embeddings.fingerprint import text_keys
from hybrid_qproj.text.embeddings.table import EmbeddingTable

TEXTS = ["a cat", "a dog", "", "ein Vogel im Käfig"]
ROWS = np.arange(12, dtype=np.float16).reshape(4, 3)


@given(st.permutations(range(4)))
def test_lookup_in_any_order(order):
    """Each text gives its own row, as float32."""
    found = EmbeddingTable.of(TEXTS, ROWS).lookup([TEXTS[i] for i in order])
    assert found.dtype == torch.float32
    assert torch.equal(found, torch.from_numpy(ROWS[list(order)]).float())


def test_rows_of_unknown_texts():
    """-1 tells them apart; looking them up is an error that names the first."""
    table = EmbeddingTable.of(TEXTS, ROWS)
    assert table.rows(["a dog", "a mouse"]).tolist() == [1, -1]
    with pytest.raises(ValueError, match="1 of 2 texts have no embedding in the table, the first: 'a mouse'"):
        table.lookup(["a dog", "a mouse"])


def test_rows_of_unit_norm():
    """Whatever norm they are kept with; a merged table says it anew."""
    table = EmbeddingTable.merge([EmbeddingTable.of(TEXTS, ROWS)], normalize=True)
    expected = torch.nn.functional.normalize(torch.from_numpy(ROWS).float(), dim=1)
    torch.testing.assert_close(table.lookup(TEXTS), expected)
    assert table.norms(3) == pytest.approx([1, 1, 1])
    assert EmbeddingTable.merge([table]).norms(2) == pytest.approx([5**0.5, 50**0.5])


def test_merged_tables():
    """Rows stay with their texts across parts; of a text in both, the first table's row counts."""
    second = EmbeddingTable.of(["a fish", "a cat"], np.full((2, 3), 7.0, dtype=np.float32))
    table = EmbeddingTable.merge([EmbeddingTable.of(TEXTS, ROWS), second])
    assert table.lookup(["a fish", "a cat", "a dog"]).tolist() == [[7, 7, 7], [0, 1, 2], [3, 4, 5]]


def test_stands_for_an_encoder():
    """A model on a table encodes as its head projects."""
    head = ClassicalProjection(3, 2)
    model = Encoder(modules=[EmbeddingTable.of(TEXTS, ROWS), ProjectionHead(head)], device="cpu")
    encoded = model.encode(TEXTS, convert_to_tensor=True)
    assert torch.allclose(encoded, head(torch.from_numpy(ROWS).float()))
    assert model.get_embedding_dimension() == 2


def test_cannot_be_saved(tmp_path):
    """A cache is no model; the error says what to save."""
    model = Encoder(modules=[EmbeddingTable.of(TEXTS, ROWS), ProjectionHead(ClassicalProjection(3, 2))], device="cpu")
    with pytest.raises(CheckpointError, match=r"put it on its encoder with hybrid_qproj\.sbert\.with_head"):
        model.save_pretrained(str(tmp_path))


def test_shapes_must_agree():
    """A row for each digest, all of one width."""
    with pytest.raises(ValueError, match="got 4 digests for embeddings of shapes"):
        EmbeddingTable(text_keys(TEXTS), [ROWS[:3]])
    with pytest.raises(ValueError, match="all of one width"):
        EmbeddingTable(text_keys(TEXTS), [ROWS[:2], ROWS[2:, :2]])


def test_empty_table():
    """Knows nothing, and says so."""
    assert EmbeddingTable.of([], ROWS[:0]).rows(["a cat"]).tolist() == [-1]
