"""The quantum head of a folder, for the commands that draw, count or measure it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid_qproj.cli.quiet import without_bars

if TYPE_CHECKING:
    from hybrid_qproj.heads.base import Head
    from hybrid_qproj.heads.quantum import QuantumProjection


def open_head(path: str, ansaetze: Sequence[str] = ()) -> QuantumProjection:
    """Load the head of a saved encoder, or a saved head itself, without bars of libraries.

    Args:
        path: see `hybrid_qproj.loading.load_quantum_head`.
        ansaetze: your own ones that it may name.

    Returns:
        the head, in eval mode.

    Raises:
        CheckpointError: see there.
        MissingExtraError: see there.
    """
    from hybrid_qproj.loading import load_quantum_head  # noqa: PLC0415 - keeps --help fast

    with _no_bars(_is_bare(path)):
        return load_quantum_head(path, ansaetze)


def open_any_head(path: str, ansaetze: Sequence[str] = ()) -> Head:
    """`open_head` of a head of any class.

    Args:
        path: a folder written by ``head.save`` or ``save_pretrained``, or a hub id.
        ansaetze: your own ones that it may name.

    Returns:
        the head, in eval mode.

    Raises:
        CheckpointError: there is none, or a damaged one.
        MissingExtraError: it is an encoder, and sentence-transformers is not installed.
    """
    from hybrid_qproj.heads.registry import load_head  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.loading import load  # noqa: PLC0415 - keeps --help fast

    bare = _is_bare(path)
    with _no_bars(bare):
        return load_head(Path(path), ansaetze) if bare else load(path, ansaetze=ansaetze).head


def _is_bare(path: str) -> bool:
    """Whether it is the folder of a head without an encoder; an encoder has a config.json of its own."""
    return Path(path, "config.json").exists() and not Path(path, "modules.json").exists()


def _no_bars(bare: bool) -> AbstractContextManager[None]:
    from hybrid_qproj._util.extras import require  # noqa: PLC0415 - keeps --help fast

    if bare:
        return nullcontext()
    require("sentence_transformers", "text", "an encoder with a head")
    return without_bars()
