"""An experiment embeds queries as queries and documents as documents, frozen or not."""

from __future__ import annotations

import pytest
import torch

for _module in ("datasets", "accelerate", "sentence_transformers", "pydantic", "tensorboard"):
    pytest.importorskip(_module, reason="needs the extra 'train'")

from sentence_transformers import SentenceTransformer  # noqa: E402

from hybrid_qproj.experiments.config import load_config  # noqa: E402
from hybrid_qproj.experiments.data import read_data  # noqa: E402
from hybrid_qproj.experiments.embed import open_encoder  # noqa: E402
from hybrid_qproj.heads.fixed import Uncompressed  # noqa: E402
from hybrid_qproj.retrieval.protocols import rank  # noqa: E402
from hybrid_qproj.sbert import Encoder, ProjectionHead, with_head  # noqa: E402


def test_table_stands_for_an_encoder_with_prompts(tiny_bert, tmp_path, write_experiment):
    """Rankings from the table are those of the encoder itself; each side has its own embeddings there."""
    base = SentenceTransformer(str(tiny_bert), prompts={"query": "state state ", "document": "a "}, device="cpu")
    base.save(str(tmp_path / "prompted"))
    config = load_config(write_experiment(tmp_path / "experiment", tmp_path / "prompted"))
    data = read_data(config)
    encoder = open_encoder(config)
    queries, texts = list(data.tests[0].queries.values()), list(data.texts)
    for side, encode, chosen in (
        ("query", encoder.encode_query, queries),
        ("document", encoder.encode_document, texts),
    ):
        expected = encode(chosen, convert_to_tensor=True)
        torch.testing.assert_close(data.table.lookup(chosen, side).to(expected.device), expected, atol=1e-5, rtol=0)
    table = Encoder(modules=[data.table, ProjectionHead(Uncompressed(24))], device="cpu")
    whole = with_head(encoder.to("cpu"), Uncompressed(24))
    for test in data.tests:
        found, expected = rank(table, test), rank(whole, test)
        for query, scores in expected.items():
            assert found[query] == pytest.approx(scores, abs=1e-5)
    # Everything is in the cache now.
    steps = []
    read_data(config, lambda *step: steps.append(step))
    assert steps == []
