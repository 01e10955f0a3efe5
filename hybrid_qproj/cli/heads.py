"""The quantum head of a folder, for the commands that draw, count or measure it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid_qproj.cli.quiet import without_bars

if TYPE_CHECKING:
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
    from hybrid_qproj._util.extras import require  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.loading import load_quantum_head  # noqa: PLC0415 - keeps --help fast

    bare = Path(path, "config.json").exists() and not Path(path, "modules.json").exists()
    if not bare:
        require("sentence_transformers", "text", "an encoder with a head")
    with nullcontext() if bare else without_bars():
        return load_quantum_head(path, ansaetze)
