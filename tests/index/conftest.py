"""An encoder with a quantum head, small enough to run everywhere."""

from __future__ import annotations

import pytest
import torch

from hybrid_qproj import QuantumProjection


@pytest.fixture
def model(tiny_bert, tmp_path):
    """Its folder."""
    sentence_transformers = pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")
    sbert = pytest.importorskip("hybrid_qproj.sbert")
    encoder = sentence_transformers.SentenceTransformer(str(tiny_bert), device="cpu")
    width = encoder.get_embedding_dimension()
    generator = torch.Generator().manual_seed(0)
    head = QuantumProjection(width, width // 2, "rotor", init="random", scale=1.0, generator=generator)
    sbert.with_head(encoder, head).save_pretrained(str(tmp_path / "model"))
    return str(tmp_path / "model")
