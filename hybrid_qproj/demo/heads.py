"""The heads that the demo compares, and how each is made and trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from hybrid_qproj.heads.base import Head
from hybrid_qproj.heads.linear import (
    ClassicalProjection,
    GroupedLinear,
    PCAProjection,
    RandomProjection,
    Truncation,
)
from hybrid_qproj.heads.quantum import QuantumProjection
from hybrid_qproj.training.distill import DistillationSettings

# Fidelity saturates for features near 0: MiniLM's, about 0.1, are spread over the Bloch sphere by this factor.
SCALE = 2.0


@dataclass(frozen=True)
class Entry:
    """One head of the comparison.

    Args:
        name: as the table names it.
        build: (embeddings of the training texts, k, generator) -> a head, fitted if it wants to be, not yet trained.
        training: settings of the distillation; None for heads that are not trained.
        seeded: whether different seeds give different heads.
    """

    name: str
    build: Callable[[Tensor, int, torch.Generator], Head]
    training: DistillationSettings | None = None
    seeded: bool = True


def _linear(x: Tensor, k: int, generator: torch.Generator) -> Head:
    # nn.Linear draws from the global generator: fork it, so that nothing outside is disturbed.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator.initial_seed())
        return ClassicalProjection(x.shape[1], k)


def _quantum(circuit: str, plan: str, init: str) -> Callable[[Tensor, int, torch.Generator], Head]:
    def build(x: Tensor, k: int, generator: torch.Generator) -> Head:
        return QuantumProjection(x.shape[1], k, circuit, plan=plan, init=init, scale=SCALE, generator=generator)

    return build


# Cosine heads start at the teacher's own temperature. One learning rate a kind of head, from a short sweep.
_CLASSICAL = DistillationSettings(learning_rate=5e-3, student_scale=20.0)
_GROUPED = DistillationSettings(learning_rate=2e-2, student_scale=20.0)
_QUANTUM = DistillationSettings()
# A random start has further to go.
_QUANTUM_RANDOM = DistillationSettings(learning_rate=1e-1)

PUBLISHED = "quantum u_cu chain (published)"
QUANTUM = "quantum u_cu tree"

ENTRIES: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry("truncation", lambda x, k, g: Truncation(x.shape[1], k), seeded=False),
        Entry("PCA", lambda x, k, g: PCAProjection(x.shape[1], k).fit(x), seeded=False),
        Entry("random projection", lambda x, k, g: RandomProjection(x.shape[1], k, g)),
        Entry("linear + tanh", _linear, _CLASSICAL),
        Entry("grouped linear", lambda x, k, g: GroupedLinear(x.shape[1], k, g), _GROUPED),
        Entry(PUBLISHED, _quantum("u_cu", "chain", "random"), _QUANTUM_RANDOM),
        Entry(QUANTUM, _quantum("u_cu", "tree", "identity"), _QUANTUM),
        Entry("quantum rotor tree", _quantum("rotor", "tree", "identity"), _QUANTUM),
        Entry(
            "quantum rotor treelet (fitted)",
            lambda x, k, g: QuantumProjection.fit(x, k).requires_grad_(False),
            seeded=False,
        ),
    )
}
