"""The command demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid_qproj.cli.errors import need_experiments, one_line_errors
from hybrid_qproj.cli.quiet import without_bars


def demo(
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("demo-report"),
    sizes: Annotated[list[int], typer.Option(help="Numbers a document is compressed to; repeatable.")] = [  # noqa: B006 - only read
        128,
        64,
        32,
    ],
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of each trained or random head.")] = 5,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes; one a core by default.")] = None,
) -> None:
    """Compare every head on the Lee corpus and write a report with the trained quantum model."""
    with one_line_errors():
        need_experiments("demo")
        from hybrid_qproj.cli.run.demo import run_demo  # noqa: PLC0415 - imports extras

        with without_bars():
            run_demo(out, sizes, seeds, workers)
