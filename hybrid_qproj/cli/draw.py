"""The command draw."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid_qproj.cli.errors import one_line_errors
from hybrid_qproj.cli.options import Ansaetze


def draw(
    what: Annotated[str, typer.Argument(help="Ansatz (drawn with symbols), or folder of a saved head (its numbers).")],
    out: Annotated[
        Path | None, typer.Option(help="File; svg, pdf, png, eps, tex (quantikz), qasm or txt by its suffix.")
    ] = None,
    part: Annotated[
        str, typer.Option(help="block, stage, group (all that one output is made of) or head (a schematic).")
    ] = "block",
    sizes: Annotated[
        tuple[int, int] | None, typer.Option(help="d and k, where WHAT is an ansatz.", show_default="768 256")
    ] = None,
    plan: Annotated[
        str | None, typer.Option(help="chain or tree, where WHAT is an ansatz.", show_default="chain")
    ] = None,
    stage: Annotated[int | None, typer.Option(help="Which stage, from 0.", show_default="0")] = None,
    output: Annotated[int | None, typer.Option(help="Which output, from 0.", show_default="0")] = None,
    style: Annotated[
        str | None, typer.Option(help="paper, or a style of PennyLane; of images.", show_default="paper")
    ] = None,
    standalone: Annotated[bool, typer.Option("--standalone", help="A whole LaTeX document.")] = False,
    qasm_version: Annotated[int | None, typer.Option(help="2 or 3.", show_default="3")] = None,
    values: Annotated[
        str | None,
        typer.Option(help="OpenQASM: numbers for parameters and encoding angles, e.g. alpha=0.1,x_c=0.5, in radians."),
    ] = None,
    ansatz: Ansaetze = None,
) -> None:
    """Draw exactly the circuit that runs; as text where no file is given."""
    from hybrid_qproj.cli.drawing import DrawOptions, run_draw  # noqa: PLC0415 - keeps --help fast

    with one_line_errors():
        options = DrawOptions(sizes, plan, stage, output, style, standalone or None, qasm_version, values)
        text = run_draw(what, out, part, options, ansatz or ())
        typer.echo(text if text is not None else f"drawn: {out}")
