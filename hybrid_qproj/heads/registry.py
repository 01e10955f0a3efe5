"""All heads by class name, and loading one of whatever class it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hybrid_qproj.circuits import Ansatz
from hybrid_qproj.heads.base import Head
from hybrid_qproj.heads.checkpoint import CONFIG, MOST_SHOWN, CheckpointError, read_config
from hybrid_qproj.heads.coherent import CoherentProjection
from hybrid_qproj.heads.fixed import LowRankLinear, Uncompressed
from hybrid_qproj.heads.linear import BASELINES
from hybrid_qproj.heads.quantum import QuantumProjection

HEADS: dict[str, type[Head]] = {
    **{cls.__name__: cls for cls in (QuantumProjection, CoherentProjection, LowRankLinear, Uncompressed)},
    **BASELINES,
}


def load_head(folder: str | Path, ansaetze: Sequence[str | Ansatz] = ()) -> Head:
    """Read a saved head of any class. Nothing that its files name is imported.

    Args:
        folder: a folder that ``head.save`` wrote.
        ansaetze: your own ones that the head may name: objects, or ``"package.module:name"``, which is imported.
            Registered ones need not be given.

    Returns:
        the head, in eval mode.

    Raises:
        CheckpointError: the folder holds no head, or a damaged one.
    """
    name = read_config(folder)["class"]
    if name not in HEADS:
        raise CheckpointError(
            f"{str(folder)!r} holds a {name[:MOST_SHOWN]!r}; expected one of {', '.join(HEADS)} as class in {CONFIG}"
        )
    return HEADS[name].load(folder, ansaetze)
