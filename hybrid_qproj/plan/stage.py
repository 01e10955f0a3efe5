"""Blocks that run side by side, and which of them are one rotation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from numbers import Integral

from hybrid_qproj.plan.errors import PlanError


@dataclass(frozen=True)
class Stage:
    """Blocks that run side by side.

    Block g reads qubits ``control[g]`` and ``kept[g]`` as they were before the stage and writes ``kept[g]``.
    A qubit may be read by several blocks (so two qubits may mix, each block keeping one of them) but is
    written by one at most.

    Args:
        control: index of each block's control qubit.
        kept: index of each block's kept qubit.
        tied: for each block, the block of this stage whose weights it has: itself, or the one that reads the same two
            qubits the other way round, so that the two are one rotation. Empty if each has its own.
    """

    control: tuple[int, ...]
    kept: tuple[int, ...]
    tied: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.kept)

    @property
    def rotations(self) -> int:
        """Number of blocks that have weights of their own."""
        return len(set(self.tied)) if self.tied else len(self)

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """(control, kept) of each block."""
        return tuple(zip(self.control, self.kept, strict=True))

    @cached_property
    def writer(self) -> dict[int, int]:
        """Qubit -> the block that writes it."""
        return {qubit: block for block, qubit in enumerate(self.kept)}


def check_ties(where: str, stage: Stage) -> None:
    """Refuse ties between blocks that are not one rotation.

    Args:
        where: which stage, for an error's message.
        stage: the stage.

    Raises:
        PlanError: ``tied`` is of another length, out of range, or ties blocks of other qubits.
    """
    if not stage.tied:
        return
    if len(stage.tied) != len(stage) or not all(
        isinstance(tied, Integral) and not isinstance(tied, bool) and 0 <= tied < len(stage) for tied in stage.tied
    ):
        raise PlanError(
            f"{where}: tied (twin in a file) names a block of the stage for each of its {len(stage)}, or is empty"
        )
    for block, tied in enumerate(stage.tied):
        mine, theirs = (stage.control[block], stage.kept[block]), (stage.kept[tied], stage.control[tied])
        if tied != block and (mine != theirs or stage.tied[tied] != tied):
            raise PlanError(
                f"{where}: block {block} cannot have the weights of block {tied}; tied blocks read the same two qubits "
                "the other way round, and one of them has weights of its own"
            )
