"""All heads by name, your own ones too, and loading one of whatever class it is."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from hybrid_qproj.circuits import Ansatz
from hybrid_qproj.heads.base import Head, HeadError
from hybrid_qproj.heads.checkpoint import CONFIG, MOST_SHOWN, CheckpointError, read_config
from hybrid_qproj.heads.circuit import CircuitHead
from hybrid_qproj.heads.coherent import CoherentProjection
from hybrid_qproj.heads.controls import LinearAngles, UnboundedLinear
from hybrid_qproj.heads.fixed import LowRankLinear, Uncompressed, UncompressedQubits
from hybrid_qproj.heads.grouped import GroupedLinear
from hybrid_qproj.heads.linear import ClassicalProjection, PCAProjection, RandomProjection, Truncation
from hybrid_qproj.heads.quantum import QuantumProjection
from hybrid_qproj.similarity.fidelity import PAIRWISE

_HEADS: dict[str, type[Head]] = {
    cls.kind: cls
    for cls in (
        QuantumProjection,
        CoherentProjection,
        LowRankLinear,
        Uncompressed,
        UncompressedQubits,
        ClassicalProjection,
        Truncation,
        PCAProjection,
        RandomProjection,
        GroupedLinear,
        LinearAngles,
        UnboundedLinear,
    )
}

H = TypeVar("H", bound=Head)


def names() -> list[str]:
    """Names of the built-in and registered heads, in the order of their registration."""
    return list(_HEADS)


def get(kind: str) -> type[Head]:
    """Find a class of heads. The name imports nothing.

    Args:
        kind: a name from `names`.

    Returns:
        the class.

    Raises:
        HeadError: there is none of this name.

    Examples:
        >>> get("PCAProjektion")
        Traceback (most recent call last):
        ...
        hybrid_qproj.heads.base.HeadError: no head 'PCAProjektion'; expected one of ... (did you mean 'PCAProjection'?)
    """
    if kind not in _HEADS:
        close = get_close_matches(kind, names(), n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise HeadError(f"no head {kind[:MOST_SHOWN]!r}; expected one of {', '.join(names())}{hint}")
    return _HEADS[kind]


def register(cls: type[H]) -> type[H]:
    """Make a class of heads available by its `Head.kind` in this process: to configurations, and to saved files.

    Args:
        cls: what it states of itself, see `Head`, is what experiments and files go by. It should say in ``SCHEMA`` what
            its saved config may hold.

    Returns:
        the class itself, so that this is a decorator too.

    Raises:
        HeadError: it is no class of heads, is abstract, contradicts itself, or its name is taken by another.
    """
    if not (isinstance(cls, type) and issubclass(cls, Head)) or inspect.isabstract(cls):
        what = cls.__name__ if isinstance(cls, type) else type(cls).__name__
        raise HeadError(f"got {what}; expected a subclass of hybrid_qproj.heads.base.Head with a forward of its own")
    if cls.similarity not in PAIRWISE:
        raise HeadError(f"{cls.kind}: similarity = {cls.similarity!r}; expected one of {', '.join(PAIRWISE)}")
    if cls.has_circuits != issubclass(cls, CircuitHead):
        raise HeadError(f"{cls.kind}: has_circuits = {cls.has_circuits}; it is True of subclasses of CircuitHead alone")
    for fact, promised, method in (("fitting", cls.fitting, "fit"), ("budgeted", cls.budgeted, "with_budget")):
        if promised is not None and inspect.getattr_static(cls, method) is inspect.getattr_static(Head, method):
            raise HeadError(f"{cls.kind} states {fact}, but has no {method} of its own; write one, or leave {fact} out")
    if _HEADS.get(cls.kind, cls) is not cls:
        raise HeadError(
            f"the name {cls.kind!r} is taken; give the class another as its kind (taken: {', '.join(names())})"
        )
    _HEADS[cls.kind] = cls
    return cls


def load_head(folder: str | Path, ansaetze: Sequence[str | Ansatz] = ()) -> Head:
    """Read a saved head of any class. Nothing that its files name is imported.

    Args:
        folder: a folder that ``head.save`` wrote.
        ansaetze: your own ones that the head may name: objects, or ``"package.module:name"``, which is imported.
            Registered ones need not be given.

    Returns:
        the head, in eval mode.

    Raises:
        CheckpointError: the folder holds no head, a damaged one, or one of a class that is not registered.
    """
    kind = read_config(folder)["class"]
    if kind not in _HEADS:
        raise CheckpointError(
            f"{str(folder)!r} holds a {kind[:MOST_SHOWN]!r}; expected one of {', '.join(names())} as class in "
            f"{CONFIG}; if it is one of yours, register it before: hybrid_qproj.register_head"
        )
    return _HEADS[kind].load(folder, ansaetze)
