"""What the outputs of a plan are made of: the blocks and the input features that they depend on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from hybrid_qproj.plan.stage import Stage


class Ancestry(NamedTuple):
    """What some outputs of a plan are made of: their light cone.

    Attributes:
        blocks: (stage, block) of each block that they depend on, first to last.
        features: the input features that reach them. Those that merge stand side by side: a kept qubit's, then its
            control's.
    """

    blocks: tuple[tuple[int, int], ...]
    features: tuple[int, ...]


def ancestry(stages: Sequence[Stage], qubits: Iterable[int]) -> Ancestry:
    """What qubits are made of after the last stage.

    Args:
        stages: the stages, in order.
        qubits: which, in the order in which their features are wanted.

    Returns:
        the blocks that they depend on and the features that reach them.
    """
    qubits = tuple(qubits)
    needed, found = set(qubits), list[tuple[int, list[int]]]()
    for number in reversed(range(len(stages))):
        stage = stages[number]
        blocks = sorted(stage.writer[qubit] for qubit in needed if qubit in stage.writer)
        needed.update(stage.control[block] for block in blocks)
        found.append((number, blocks))
    found.reverse()
    # Features of each qubit that a block has written so far; of all others there is one.
    merged: dict[int, tuple[int, ...]] = {}
    for number, blocks in found:
        pairs = [stages[number].pairs[block] for block in blocks]
        merged |= {b: _union(merged.get(b, (b,)), merged.get(c, (c,))) for c, b in pairs}
    return Ancestry(
        tuple((number, block) for number, blocks in found for block in blocks),
        _union(*(merged.get(qubit, (qubit,)) for qubit in qubits)),
    )


def _union(*groups: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(groups)))
