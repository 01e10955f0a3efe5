"""The command ``hybrid-qproj``: one module a command, each thin; an expected error is one line and exit code 1."""

from __future__ import annotations

from typing import Annotated

import typer

from hybrid_qproj import __version__
from hybrid_qproj.cli.calibrate import calibrate
from hybrid_qproj.cli.compare import compare
from hybrid_qproj.cli.demo import demo
from hybrid_qproj.cli.devices import devices
from hybrid_qproj.cli.draw import draw
from hybrid_qproj.cli.encode import encode
from hybrid_qproj.cli.errors import debugging
from hybrid_qproj.cli.estimate import estimate
from hybrid_qproj.cli.evaluate import evaluate
from hybrid_qproj.cli.export import export
from hybrid_qproj.cli.fit import fit
from hybrid_qproj.cli.gallery import gallery
from hybrid_qproj.cli.index import index
from hybrid_qproj.cli.plot import plot
from hybrid_qproj.cli.search import search
from hybrid_qproj.cli.train import train
from hybrid_qproj.cli.usage import DiscreetGroup

app = typer.Typer(
    cls=DiscreetGroup,
    help="Quantum projection heads for text embeddings.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)

for command in (
    demo,
    devices,
    estimate,
    calibrate,
    train,
    evaluate,
    compare,
    encode,
    fit,
    index,
    search,
    export,
    draw,
    gallery,
    plot,
):
    app.command()(command)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hybrid-qproj {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Quantum projection heads for text embeddings."""
    debugging.set(debug)


def main() -> None:
    """Entry point of the console script."""
    app()
