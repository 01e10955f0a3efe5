"""The command search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid_qproj.cli.errors import one_line_errors
from hybrid_qproj.cli.options import Ansaetze, Device, Yes
from hybrid_qproj.cli.quiet import without_bars


def search(
    model: Annotated[str, typer.Argument(help="Folder or hub id of the encoder with its head.")],
    folder: Annotated[Path, typer.Argument(help="Folder of angles and their index.")],
    queries: Annotated[str, typer.Argument(help="File of queries (.tsv, .jsonl, TREC topics), or one query's text.")],
    k: Annotated[int, typer.Option(min=1, help="Documents for each query.")] = 10,
    out: Annotated[Path | None, typer.Option(help="TREC run to write; JSON lines are printed without it.")] = None,
    engine: Annotated[str, typer.Option(help="index; exhaustive: all documents; ray: all, on a cluster.")] = "index",
    workers: Annotated[int | None, typer.Option(min=1, help="Processes of the cluster; one a core.")] = None,
    effort: Annotated[int | None, typer.Option(min=1, help="Cells that ivf and ivfpq visit, or hnsw's list.")] = None,
    text: Annotated[bool, typer.Option("--text", help="QUERIES is a text, even if it looks like a file.")] = False,
    device: Device = None,
    yes: Yes = False,
    ansatz: Ansaetze = None,
) -> None:
    """Search encoded documents: candidates by L2, ordered by exact fidelity, or of codes by their codec's scores."""
    with one_line_errors():
        from hybrid_qproj._util.extras import require  # noqa: PLC0415 - keeps --help fast

        if engine == "index":
            require("faiss", "index", "an index")
        require("sentence_transformers", "text", "encoding text")
        from hybrid_qproj.cli.run.search import run_search  # noqa: PLC0415 - imports extras

        with without_bars():
            lines = run_search(
                model,
                folder,
                queries,
                k,
                out,
                engine,
                workers,
                effort,
                text,
                quantum_device=device,
                allow_paid=yes,
                ansaetze=ansatz or (),
            )
            typer.echo(f"run: {out}" if out else "\n".join(lines))
