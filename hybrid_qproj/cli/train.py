"""The command train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid_qproj.cli.errors import need_experiments, one_line_errors
from hybrid_qproj.cli.options import Ansaetze, Config, Yes
from hybrid_qproj.cli.quiet import without_bars


def train(
    config: Config,
    out: Annotated[Path, typer.Option(help="Folder of checkpoints, logs and the model.")],
    head: Annotated[str | None, typer.Option(help="Which head, if the experiment has several.")] = None,
    size: Annotated[int | None, typer.Option(help="Which size, if the experiment has several.")] = None,
    objective: Annotated[str | None, typer.Option(help="Which objective, if the experiment has several.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    ansatz: Ansaetze = None,
    yes: Yes = False,
) -> None:
    """Train one head of an experiment, alone or with its encoder. Run again after an interruption, it goes on."""
    with one_line_errors():
        need_experiments()
        from hybrid_qproj.cli.run.train import run_train  # noqa: PLC0415 - imports extras

        with without_bars():
            run_train(config, out, head, size, objective, seed, ansaetze=ansatz or (), allow_paid=yes)
