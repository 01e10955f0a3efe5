"""NDCG@10 of one trained head on many devices: the table of docs/devices.md.

Run ``make demo`` first, then ``python benchmarks/lee_devices.py demo-report/model``. Every device's responses are
measured once and kept in ``--out``; an interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import torch

import hybrid_qproj
from hybrid_qproj.calibration import calibrate
from hybrid_qproj.demo.experiment import Texts, score
from hybrid_qproj.estimate import estimate
from hybrid_qproj.retrieval.lee import load_lee

DEVICES = (
    "default.qubit",
    "default.qubit?shots=100&seed=0",
    "default.qubit?shots=1000&seed=0",
    "default.qubit?shots=10000&seed=0",
    "default.mixed?noise=depolarizing:0.001,readout:0.005",
    "default.mixed?noise=depolarizing:0.01,readout:0.02",
    "qiskit.remote?backend=fake_sherbrooke&shots=4000&seed=0",
)


def main() -> None:
    """Measure, score, print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="folder of a saved encoder with a quantum head")
    parser.add_argument("--out", type=Path, default=Path("device-report"), help="where responses are kept")
    parser.add_argument("--devices", nargs="+", default=DEVICES)
    arguments = parser.parse_args()
    encoder = hybrid_qproj.load(arguments.model, device="cpu")
    corpus = load_lee()
    head = encoder.head
    plain = torch.nn.Sequential(*list(encoder)[:-1])
    features = encoder.preprocess(corpus.documents)
    with torch.no_grad():
        embeddings = plain(features)["sentence_embedding"].float()
    print("| device | NDCG@10 | circuits | wires | depth | two-qubit gates | largest standard error of R |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for device in arguments.devices:
        path = arguments.out / (re.sub(r"\W+", "_", device) + ".safetensors")
        measured = calibrate(head, device, path)
        measured.apply(head)
        with torch.no_grad():
            angles = head(embeddings)
            values = score(Texts(angles, angles, corpus.qrels()), head.pairwise_similarity(angles, angles))
        run = next(r for r in reversed(estimate(head, device).runs) if r.mode == "interpolated")
        print(
            f"| `{device}` | {sum(values.values()) / len(values):.4f} | {run.circuits:,} | {run.wires} | {run.depth} | "
            f"{run.two_qubit_gates} | {measured.errors.max():.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
