"""The command ``hybrid-qproj``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Quantum projection heads for text embeddings.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


@app.callback()
def _root() -> None:
    """Quantum projection heads for text embeddings."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("demo-report"),
    sizes: Annotated[list[int], typer.Option(help="Numbers a document is compressed to; repeatable.")] = [  # noqa: B006
        128,
        64,
        32,
    ],
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of each trained or random head.")] = 5,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes; one a core by default.")] = None,
) -> None:
    """Compare every head on the Lee corpus and write a report with the trained quantum model."""
    from hybrid_qproj.extras import MissingExtraError  # noqa: PLC0415 - keeps --help fast

    try:
        from hybrid_qproj.demo.command import run_demo  # noqa: PLC0415 - imports extras

        run_demo(out, sizes, seeds, workers)
    except (MissingExtraError, ValueError, OSError) as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        raise typer.Exit(1) from error


def main() -> None:
    """Entry point of the console script."""
    app()
