"""Writes this folder's heads, model and expected outputs; run once, with the package as it was at commit 667a48f.

    python tests/data/667a48f/make.py tests/data/667a48f BERT

BERT is a folder that `save_tiny_bert` of tests/text_models.py wrote.
"""

from __future__ import annotations

import sys
from pathlib import Path

import safetensors.torch
import torch

from hybrid_qproj import ClassicalProjection, QuantumProjection
from hybrid_qproj.baselines import GroupedLinear, PCAProjection, RandomProjection, Truncation
from hybrid_qproj.classical import LowRankLinear, Uncompressed
from hybrid_qproj.coherent import CoherentProjection
from hybrid_qproj.fitting import FitSettings
from hybrid_qproj.sbert import with_head

TEXTS = ["a quantum cat", "the cat sat on the mat", "a state"]


def main(out: Path, bert: str) -> None:
    """Save everything, and what it gave."""
    torch.manual_seed(0)
    data = torch.randn(40, 12)
    fitted = QuantumProjection.fit(data, 3, settings=FitSettings(mixing=1))
    heads = {
        "paper": QuantumProjection.paper(12, 4),
        "tree": QuantumProjection(12, 4, "rotor", plan="tree", init="random", scale=2.0, normalize=True),
        "fitted": fitted,
        "coherent": CoherentProjection(12, 4, "free_rotor", init="random", scale=1.5),
        "classical": ClassicalProjection(12, 4),
        "truncation": Truncation(12, 4),
        "pca": PCAProjection(12, 4).fit(data),
        "random": RandomProjection(12, 4),
        "grouped": GroupedLinear(12, 4),
        "low_rank": LowRankLinear(12, 4, 2),
        "uncompressed": Uncompressed(12),
    }
    expected = {"embeddings": data[:5].clone()}
    for name, head in heads.items():
        head.save(out / "heads" / name)
        with torch.no_grad():
            expected[f"heads.{name}"] = head.eval()(data[:5]).clone()
    encoder = with_head(bert, QuantumProjection(24, 8, "rotor", init="random", scale=2.0), device="cpu")
    encoder.prompts["query"] = "a "
    encoder.save_pretrained(str(out / "model"), create_model_card=False)
    expected["model"] = encoder.eval().encode(TEXTS, convert_to_tensor=True).clone()
    safetensors.torch.save_file(expected, out / "expected.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
