"""The command gallery."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid_qproj.cli.errors import one_line_errors


def gallery(
    folder: Annotated[Path, typer.Argument(help="Folder that gets README.md and images/.")],
    circuits: Annotated[list[str] | None, typer.Argument(help="Ansaetze; all built-in ones by default.")] = None,
) -> None:
    """Write a page with figure, parameters, gates, depth and source of each ansatz."""
    from hybrid_qproj.cli.drawing import run_gallery  # noqa: PLC0415 - keeps --help fast

    with one_line_errors():
        drawn = run_gallery(folder, circuits or ())
        typer.echo(f"{len(drawn)} ansaetze drawn: {folder / 'README.md'}")
