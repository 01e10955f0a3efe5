"""What a fitted head loses to bits, shots, noise, and a readout without measurement in between: docs/results.md.

Fits the treelet of an experiment as the experiment does, ten samples of its texts, and changes how it is stored or run:
python -m benchmarks.fitted_variants lee cranfield fitted
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from benchmarks.fitted import CONFIGS, FITTED, MEASURE, ROOT, SHARED, TABLES, lend_datasets
from hybrid_qproj import QuantumProjection
from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.experiments.build import fit_head
from hybrid_qproj.experiments.cells import LOOKUP_BATCH
from hybrid_qproj.experiments.config import ExperimentConfig, load_config
from hybrid_qproj.experiments.data import ExperimentData, read_data
from hybrid_qproj.experiments.tables import markdown
from hybrid_qproj.heads.base import Head
from hybrid_qproj.heads.coherent import CoherentProjection
from hybrid_qproj.retrieval.measures import evaluate_run
from hybrid_qproj.retrieval.protocols import rank
from hybrid_qproj.sbert import Encoder, ProjectionHead

SIZES = (64, 32)
SEEDS = 10
BITS = (16, 8, 4, 3, 2)
DEVICES = (
    "default.qubit?shots=100",
    "default.qubit?shots=1000",
    "default.qubit?shots=10000",
    "default.mixed?noise=depolarizing:0.001,readout:0.005",
    "default.mixed?noise=depolarizing:0.01,readout:0.02",
    "default.mixed?noise=amplitude_damping:0.05",
    "default.mixed?noise=phase_damping:0.1",
)
FROM_ZERO = (DEVICES[0], DEVICES[1], DEVICES[5])
"""Devices that shift readouts: what measuring from the embedding of zeros is worth."""
ROUNDS = 2


class Variant(NamedTuple):
    """A way to store or run a head.

    Attributes:
        name: for the table.
        change: the head changed; it may be the given one.
    """

    name: str
    change: Callable[[QuantumProjection, int], Head]


class RoundedOutputs(Head):
    """A head whose outputs are stored in few bits: steps between each row's least and greatest angle.

    Args:
        head: the head.
        bits: of an angle.
    """

    similarity = QuantumProjection.similarity

    def __init__(self, head: Head, bits: int) -> None:
        super().__init__(head.in_features, head.out_features)
        self.head = head
        self.levels = 2**bits - 1

    def forward(self, embeddings: Tensor) -> Tensor:
        """Project and round."""
        angles = self.head(embeddings)
        least, greatest = angles.amin(dim=-1, keepdim=True), angles.amax(dim=-1, keepdim=True)
        step = (greatest - least).clamp_min(1e-9) / self.levels
        return least + ((angles - least) / step).round() * step


class FromEquator(Head):
    """A head whose output is normalised as it is, not measured from that of an embedding of zeros.

    Args:
        head: the head.
    """

    similarity = QuantumProjection.similarity

    def __init__(self, head: QuantumProjection) -> None:
        super().__init__(head.in_features, head.out_features)
        self.head = head
        self.head.normalize_output = False

    def forward(self, embeddings: Tensor) -> Tensor:
        """Project and normalise."""
        return math.pi / 2 - torch.nn.functional.normalize(math.pi / 2 - self.head(embeddings), dim=-1)


def rounded_weights(bits: int) -> Callable[[QuantumProjection, int], Head]:
    """Round a head's own angles to 2^bits steps of a full turn."""
    step = 2 * np.pi / 2**bits

    def change(head: QuantumProjection, seed: int) -> Head:
        with torch.no_grad():
            for layer in head.layers:
                layer.weights.div_(step).round_().mul_(step)
        return head

    return change


def on_device(device: str) -> Callable[[QuantumProjection, int], QuantumProjection]:
    """Measure a head's responses on a device, with another seed for each fit where it samples."""

    def change(head: QuantumProjection, seed: int) -> QuantumProjection:
        return head.to_device(f"{device}&seed={seed}" if "shots" in device else device)

    return change


def corrected(device: str) -> Callable[[QuantumProjection, int], Head]:
    """The same with weights that are corrected there first."""
    return lambda head, seed: on_device(device)(head, seed).correct(ROUNDS)


def from_equator(device: str) -> Callable[[QuantumProjection, int], Head]:
    """The same, not measured from the output for an embedding of zeros."""
    return lambda head, seed: FromEquator(on_device(device)(head, seed))


def coherent(head: QuantumProjection, seed: int) -> Head:
    """The same plan and angles, kept qubits handed on unmeasured."""
    other = CoherentProjection(head.in_features, head.out_features, "rotor", plan=head.plan, normalize=True)
    with torch.no_grad():
        for mine, theirs in zip(other.layers, head.layers, strict=True):
            mine.weights.copy_(theirs.weights)
    return other.eval()


VARIANTS = (
    Variant("as fitted", lambda head, seed: head),
    *(Variant(f"head's angles in {bits} bits", rounded_weights(bits)) for bits in BITS),
    *(Variant(f"outputs in {bits} bits", lambda head, seed, bits=bits: RoundedOutputs(head, bits)) for bits in BITS),
    *(Variant(device, on_device(device)) for device in DEVICES),
    *(Variant(f"{device}, not from zero", from_equator(device)) for device in FROM_ZERO),
    Variant(f"{DEVICES[6]}, corrected", corrected(DEVICES[6])),
    Variant("coherent readout", coherent),
)


def main() -> None:
    """A table an experiment."""
    if SHARED.is_dir():
        lend_datasets()
    for name in sys.argv[1:] or ("lee",):
        config = load_config(ROOT / "examples" / CONFIGS[name])
        data = read_data(config)
        values: dict[tuple[str, int, str], list[float]] = {}
        for variant, k, test, value in _values(config, data):
            values.setdefault((variant, k, test), []).append(value)
        tests = [test.name for test in data.tests]
        lines = [
            [variant.name, *(_score(values[variant.name, k, test]) for test in tests for k in SIZES)]
            for variant in VARIANTS
        ]
        header = ["treelet", *(f"{test}, k = {k}" for test in tests for k in SIZES)]
        write_atomically(TABLES / f"{name}-variants.md", markdown(header, lines).encode())


def _values(config: ExperimentConfig, data: ExperimentData) -> Iterator[tuple[str, int, str, float]]:
    assert data.table is not None
    embeddings = data.table.lookup(data.texts)
    for seed in track(range(SEEDS), config.name):
        for k in SIZES:
            for variant in VARIANTS:
                head = fit_head(config, FITTED, k, embeddings, seed)
                assert isinstance(head, QuantumProjection)
                model = Encoder(modules=[data.table, ProjectionHead(variant.change(head, seed))], device="cpu")
                for test in data.tests:
                    run = rank(model, test, LOOKUP_BATCH)
                    measures = evaluate_run(test.qrels, run, [MEASURE], test.relevant)
                    yield variant.name, k, test.name, float(np.mean(list(measures[MEASURE].values())))


def _score(values: list[float]) -> str:
    return f"{np.mean(values):.4f} ± {np.std(values, ddof=1):.4f}"


if __name__ == "__main__":
    main()
