"""What does the work of encode and search, and the options that belong to one of them."""

from __future__ import annotations

from collections.abc import Sequence

from hybrid_qproj._util.extras import require
from hybrid_qproj.errors import HybridQprojError


class OptionError(HybridQprojError, ValueError):
    """Options of a command that do not go together, or are out of range."""


def check_engine(engine: str, engines: Sequence[str], workers: int | None, effort: int | None = None) -> None:
    """Refuse an engine that there is not, and options that it would ignore.

    Args:
        engine: what was asked for.
        engines: those of the command.
        workers: processes of a cluster, or None.
        effort: of an index, or None.

    Raises:
        OptionError: there is no such engine, or it has no use for one of the others.
        MissingExtraError: its package is not installed.
    """
    if engine not in engines:
        raise OptionError(f"engine {engine!r}: expected one of {', '.join(engines)}")
    if engine == "ray":
        require("ray", "ray", "the engine 'ray'")
    elif workers is not None:
        raise OptionError(f"workers={workers} is for a Ray cluster; engine {engine!r} has none: leave it out")
    if effort is not None and engine != "index":
        raise OptionError(f"effort={effort} is for an index; engine {engine!r} has none: leave it out")
