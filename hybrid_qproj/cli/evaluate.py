"""The command evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid_qproj.cli.errors import need_experiments, one_line_errors
from hybrid_qproj.cli.options import Ansaetze, Config, Device, Yes
from hybrid_qproj.cli.quiet import without_bars


def evaluate(
    model: Annotated[str, typer.Argument(help="Folder of a saved encoder with a head.")],
    config: Config,
    out: Annotated[Path, typer.Option(help="Folder for TREC runs and measures.")],
    ansatz: Ansaetze = None,
    device: Device = None,
    yes: Yes = False,
) -> None:
    """Evaluate a saved model on the tests of an experiment; writes TREC runs."""
    with one_line_errors():
        need_experiments()
        from hybrid_qproj.cli.run.evaluate import run_evaluate  # noqa: PLC0415 - imports extras

        with without_bars():
            run_evaluate(model, config, out, ansaetze=ansatz or (), quantum_device=device, allow_paid=yes)
