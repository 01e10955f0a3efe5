"""Queries and documents keep embeddings of their own: in tables, in the cache, and from a file."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Router

from hybrid_qproj.heads.fixed import Uncompressed
from hybrid_qproj.retrieval.collection import Collection
from hybrid_qproj.retrieval.documents import MemoryDocuments
from hybrid_qproj.retrieval.protocols import make_test_set, rank
from hybrid_qproj.sbert import Encoder, ProjectionHead, with_head
from hybrid_qproj.text.embeddings.cache import EmbeddingCache
from hybrid_qproj.text.embeddings.fingerprint import encoder_fingerprint, side_fingerprint
from hybrid_qproj.text.embeddings.precomputed import read_precomputed
from hybrid_qproj.text.embeddings.table import EmbeddingTable

TEXTS = ["a quantum cat", "the mat", "a state on the mat"]
SIDES = (None, "query", "document")


def methods(encoder):
    return dict(zip(SIDES, (encoder.encode, encoder.encode_query, encoder.encode_document), strict=True))


@pytest.fixture
def prompted(tiny_bert):
    """A function that makes an encoder with prompts."""

    def make(**prompts):
        default = "else" if "else" in prompts else None
        return SentenceTransformer(str(tiny_bert), prompts=prompts, default_prompt_name=default, device="cpu")

    return make


@pytest.fixture
def routed(tiny_bert, text_models):
    document = SentenceTransformer(str(tiny_bert), device="cpu")
    router = Router.for_query_document([text_models.static_embedding()], list(document))
    return SentenceTransformer(modules=[router], device="cpu")


def encoded(cache, encoder, side, texts=TEXTS):
    steps = []
    table = cache.encode(encoder, texts, progress=lambda *s: steps.append(s), side=side)
    return table, len(steps)


@pytest.mark.parametrize("kind", ["prompted", "routed"])
def test_cache_keeps_sides_apart(request, tmp_path, kind):
    """A text of both sides, and one of none, come back as they were encoded, from one merged table too."""
    encoder = request.getfixturevalue(kind)
    if kind == "prompted":
        encoder = encoder(query="the state ", document="cat cat ", **{"else": "mat "})
    cache = EmbeddingCache(tmp_path)
    tables = [encoded(cache, encoder, side)[0] for side in SIDES]
    table = EmbeddingTable.merge(tables)
    for side, encode in methods(encoder).items():
        expected = encode(TEXTS, convert_to_tensor=True)
        torch.testing.assert_close(table.lookup(TEXTS, side), expected, atol=1e-6, rtol=0)
    model = Encoder(modules=[table, ProjectionHead(Uncompressed(24))], device="cpu")
    whole = with_head(encoder, Uncompressed(24))
    for side, encode in methods(model).items():
        torch.testing.assert_close(
            encode(TEXTS, convert_to_tensor=True), methods(whole)[side](TEXTS, convert_to_tensor=True)
        )


def test_cache_shares_sides_of_a_symmetric_encoder(prompted, tmp_path):
    """Without prompts a text is encoded once, whatever it is."""
    cache = EmbeddingCache(tmp_path)
    assert [encoded(cache, prompted(), side)[1] for side in ("document", "query", None)] == [1, 0, 0]
    table = encoded(cache, prompted(), "query")[0]
    assert torch.equal(table.lookup(TEXTS, "query"), table.lookup(TEXTS, "document"))


def test_cache_knows_the_prompt(prompted, tmp_path):
    """Another query prompt makes other queries, and leaves the documents."""
    cache = EmbeddingCache(tmp_path)
    first, second = prompted(query="the state ", document="a "), prompted(query="the cat ", document="a ")
    for side in ("query", "document"):
        encoded(cache, first, side)
    assert encoded(cache, second, "query")[1] == 1
    assert encoded(cache, second, "document")[1] == 0
    assert encoder_fingerprint(first) != encoder_fingerprint(second)


def test_fingerprint_knows_what_is_not_in_weights(tiny_bert):
    """Heads of attention, the activation of a layer, and where embeddings are cut."""
    found = set()
    for change in range(5):
        encoder = SentenceTransformer(str(tiny_bert), device="cpu", truncate_dim=12 if change == 1 else None)
        if change == 2:
            encoder[0].config.num_attention_heads = 4
        if change >= 3:
            torch.manual_seed(0)
            activation = torch.nn.Tanh() if change == 3 else torch.nn.LeakyReLU(0.3)
            encoder = SentenceTransformer(
                modules=[*encoder, Dense(24, 24, activation_function=activation)], device="cpu"
            )
        found.add(side_fingerprint(encoder, "query"))
    assert len(found) == 5


def test_text_of_both_sides_without_saying_which():
    """One embedding serves; two that differ are refused; the other side's never counts."""
    rows = np.eye(2, dtype=np.float32)
    queries = EmbeddingTable.of(["a", "b"], rows, "query")
    documents = EmbeddingTable.of(["b", "c"], rows, "document")
    table = EmbeddingTable.merge([queries, documents])
    assert table.lookup(["b"], "query").tolist() == [[0, 1]]
    assert table.lookup(["b"], "document").tolist() == [[1, 0]]
    assert table.lookup(["a", "c"]).tolist() == [[1, 0], [0, 1]]
    with pytest.raises(ValueError, match="'b' is in the table as a query and as a document"):
        table.lookup(["a", "b"])
    with pytest.raises(ValueError, match="1 of 1 texts have no embedding as a document in the table, the first: 'a'"):
        table.lookup(["a"], "document")
    same = EmbeddingTable.merge([queries, EmbeddingTable.of(["a"], rows[:1], "document")])
    assert same.lookup(["a"]).tolist() == [[1, 0]]


def test_file_of_embeddings_keeps_both(tmp_path):
    """A question that is a document of the corpus too ranks by its embedding as a query."""
    text = "is it a cat"
    rows = np.eye(3, dtype=np.float32)
    np.savez(tmp_path / "e.npz", docids=np.array(["d1", "d2"]), docs=rows[:2], qids=np.array(["q1"]), queries=rows[1:2])
    documents, queries = {"d1": text, "d2": "a dog"}, {"q1": text}
    table = read_precomputed(tmp_path / "e.npz", documents, queries)
    assert len(table) == 3
    assert table.lookup([text], "document").tolist() == [[1, 0, 0]]
    assert table.lookup([text], "query").tolist() == [[0, 1, 0]]
    model = Encoder(modules=[table, ProjectionHead(Uncompressed(3))], device="cpu")
    test = make_test_set(Collection("c", MemoryDocuments(documents), queries, {"q1": {"d1": 1, "d2": 0}}), "judged")
    assert rank(model, test) == {"q1": {"d1": 0.0, "d2": 1.0}}
