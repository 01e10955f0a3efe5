"""Heads and a model saved at commit 667a48f, before files were bound by digests, give what they gave then."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import safetensors.torch
import torch

import hybrid_qproj
from hybrid_qproj.heads.registry import load_head

DATA = Path(__file__).parent / "data" / "667a48f"
EXPECTED = safetensors.torch.load_file(DATA / "expected.safetensors")
TEXTS = ["a quantum cat", "the cat sat on the mat", "a state"]


@pytest.mark.parametrize("name", sorted(path.name for path in (DATA / "heads").iterdir()))
def test_heads(name, tmp_path):
    """Loaded without a warning, and saved anew in the present format."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        head = load_head(DATA / "heads" / name)
    with torch.no_grad():
        outputs = head(EXPECTED["embeddings"])
        # Another processor's sums differ in the last bit; on one machine, saving changes nothing.
        torch.testing.assert_close(outputs, EXPECTED[f"heads.{name}"], atol=1e-6, rtol=0)
        head.save(tmp_path)
        assert torch.equal(load_head(tmp_path)(EXPECTED["embeddings"]), outputs)


def test_model():
    """The encoder, its tokenizer, its prompts, and its head."""
    pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")
    encoder = hybrid_qproj.load(DATA / "model", device="cpu")
    assert encoder.prompts["query"] == "a "
    angles = encoder.encode(TEXTS, convert_to_tensor=True)
    # Near a pole, where some of these are, an angle shows the rounding of its cosine many times enlarged.
    torch.testing.assert_close(angles.cos(), EXPECTED["model"].cos(), atol=1e-6, rtol=0)
