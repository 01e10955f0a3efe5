"""The command index."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid_qproj.cli.errors import one_line_errors


def index(
    folder: Annotated[Path, typer.Argument(help="Folder of angles, made by encode.")],
    kind: Annotated[str, typer.Option(help="flat, ivf, ivfpq or hnsw.")] = "flat",
    candidates: Annotated[int, typer.Option(min=1, help="Candidates for each document that is wanted.")] = 4,
) -> None:
    """Build the index of encoded documents."""
    with one_line_errors():
        from hybrid_qproj._util.extras import require  # noqa: PLC0415 - keeps --help fast

        require("faiss", "index", "an index")
        from hybrid_qproj.cli.run.index import run_index  # noqa: PLC0415 - imports extras

        built = run_index(folder, kind, candidates)  # type: ignore[arg-type]  # checked there
        typer.echo(f"{kind} index of {len(built.store):,} documents: {folder}")
