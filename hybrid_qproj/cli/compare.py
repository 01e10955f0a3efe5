"""The command compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid_qproj.cli.errors import need_experiments, one_line_errors
from hybrid_qproj.cli.options import Ansaetze, Config, Yes
from hybrid_qproj.cli.quiet import without_bars


def compare(
    config: Config,
    out: Annotated[Path, typer.Option(help="Folder of the results.")],
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one a core for frozen encoders.")] = None,
    ansatz: Ansaetze = None,
    yes: Yes = False,
) -> None:
    """Run an experiment's grid and report it. Run again, only what is missing is run."""
    with one_line_errors():
        need_experiments()
        from hybrid_qproj.cli.run.compare import run_compare  # noqa: PLC0415 - imports extras

        with without_bars():
            run_compare(config, out, workers, ansaetze=ansatz or (), allow_paid=yes)
