"""NDCG@10 of one head on many devices: the tables of docs/devices.md and docs/results.md.

Run ``make demo`` first, then ``python benchmarks/lee_devices.py demo-report/model --write docs/results/devices.md`` for
a trained head, or ``python benchmarks/lee_devices.py --fit 32 --write docs/results/fitted-devices.md`` for one that is
fitted to the corpus' other texts. A device's responses are measured once and kept in ``--out``; an interrupted run goes
on where it was.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer

import hybrid_qproj
from hybrid_qproj import QuantumProjection
from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.calibration import calibrate
from hybrid_qproj.estimate import estimate
from hybrid_qproj.heads.base import Head
from hybrid_qproj.retrieval.lee import load_lee
from hybrid_qproj.retrieval.measures import evaluate_run, similarity_run
from hybrid_qproj.text.encoders import load_encoder

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
    parser.add_argument("model", nargs="?", help="folder of a saved encoder with a quantum head")
    parser.add_argument("--fit", type=int, metavar="K", help="fit a head of K angles instead")
    parser.add_argument("--out", type=Path, default=Path("device-report"), help="where responses are kept")
    parser.add_argument("--devices", nargs="+", default=DEVICES)
    parser.add_argument("--write", type=Path, help="file that gets the table")
    arguments = parser.parse_args()
    if (arguments.model is None) == (arguments.fit is None):
        parser.error("give either a model or --fit")
    corpus = load_lee()
    if arguments.fit is not None:
        plain = load_encoder("minilm", device="cpu")
        head: Head = QuantumProjection.fit(plain.encode(corpus.background, convert_to_tensor=True), arguments.fit)
    else:
        encoder = hybrid_qproj.load(arguments.model, device="cpu")
        plain, head = SentenceTransformer(modules=list(encoder)[:-1], device="cpu"), encoder.head
    assert isinstance(head, QuantumProjection)
    embeddings = plain.encode(corpus.documents, convert_to_tensor=True).clone()
    blocks, stages = head.plan.blocks, len(head.plan.stages)
    print(f"{head.circuit}, {head.plan.name}, k = {head.out_features}: {blocks} blocks in {stages} stages\n")
    lines = [
        "| device | NDCG@10 | circuits | wires | depth | two-qubit gates | largest standard error of R |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for device in arguments.devices:
        path = arguments.out / (re.sub(r"\W+", "_", device) + ".safetensors")
        measured = calibrate(head, device, path)
        measured.apply(head)
        with torch.no_grad():
            angles = head(embeddings)
        found = similarity_run(head.pairwise_similarity(angles, angles), [str(i) for i in range(len(angles))])
        values = evaluate_run(corpus.qrels(), found, ["NDCG@10"])["NDCG@10"]
        run = next(r for r in reversed(estimate(head, device).runs) if r.mode == "interpolated")
        lines.append(
            f"| `{device}` | {sum(values.values()) / len(values):.4f} | {run.circuits:,} | {run.wires} | {run.depth} | "
            f"{run.two_qubit_gates} | {measured.errors.max():.3f} |"
        )
        print(lines[-1], flush=True)
    if arguments.write is not None:
        write_atomically(arguments.write, ("\n".join(lines) + "\n").encode())


if __name__ == "__main__":
    main()
