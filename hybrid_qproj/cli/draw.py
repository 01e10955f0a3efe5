"""The command draw."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid_qproj.cli.errors import one_line_errors


def draw(
    what: Annotated[str, typer.Argument(help="Ansatz (drawn with symbols), or folder of a saved head (its numbers).")],
    out: Annotated[
        Path | None, typer.Option(help="File; svg, pdf, png, eps, tex (quantikz), qasm or txt by its suffix.")
    ] = None,
    part: Annotated[
        str, typer.Option(help="block, stage, group (all that one output is made of) or head (a schematic).")
    ] = "block",
    sizes: Annotated[tuple[int, int], typer.Option(help="d and k, where WHAT is an ansatz.")] = (768, 256),
    plan: Annotated[str, typer.Option(help="chain or tree, where WHAT is an ansatz.")] = "chain",
    stage: Annotated[int, typer.Option(help="Which stage, from 0.")] = 0,
    output: Annotated[int, typer.Option(help="Which output, from 0.")] = 0,
    style: Annotated[str, typer.Option(help="paper, or a style of PennyLane.")] = "paper",
    standalone: Annotated[bool, typer.Option("--standalone", help="A whole LaTeX document.")] = False,
    qasm_version: Annotated[int, typer.Option(help="2 or 3.")] = 3,
) -> None:
    """Draw exactly the circuit that runs; as text where no file is given."""
    from hybrid_qproj.drawing.command import run_draw  # noqa: PLC0415 - keeps --help fast

    with one_line_errors():
        text = run_draw(what, out, part, sizes, plan, stage, output, style, standalone, qasm_version)
        typer.echo(text if text is not None else f"drawn: {out}")
