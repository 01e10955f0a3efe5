"""The command plot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid_qproj.cli.errors import one_line_errors
from hybrid_qproj.cli.options import Ansaetze, Device, Yes
from hybrid_qproj.cli.quiet import without_bars


def plot(
    kind: Annotated[
        str,
        typer.Argument(
            help="response, surface, merges, spheres, fidelity (of a head); training (of a run); quality, bytes, "
            "curves, histograms (of results of compare)."
        ),
    ],
    what: Annotated[
        str, typer.Argument(help="Folder of a saved head or encoder, of a run, or of results; or an ansatz.")
    ],
    out: Annotated[Path, typer.Option(help="File; svg, pdf, png or eps by its suffix.")],
    stage: Annotated[int | None, typer.Option(min=0, help="response, surface, spheres: which stage.")] = None,
    block: Annotated[
        list[int] | None, typer.Option(min=0, help="response, surface: which block; spheres: which, repeatable.")
    ] = None,
    output: Annotated[list[int] | None, typer.Option(min=0, help="merges: which outputs; repeatable.")] = None,
    sizes: Annotated[
        tuple[int, int] | None, typer.Option(help="merges of an ansatz's plan: d and k.", show_default="16 4")
    ] = None,
    plan: Annotated[str | None, typer.Option(help="merges of an ansatz: chain or tree.", show_default="chain")] = None,
    text: Annotated[str | None, typer.Option(help="spheres: the text that is encoded.")] = None,
    documents: Annotated[
        str | None, typer.Option(help="fidelity: a corpus, as fit takes it.", show_default="lee")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=3, help="fidelity: documents at most.", show_default="200")] = None,
    test: Annotated[str | None, typer.Option(help="quality, bytes, curves, histograms: which test; the first.")] = None,
    measure: Annotated[
        str | None, typer.Option(help="quality, bytes, curves, training: which measure; the first.")
    ] = None,
    device: Device = None,
    yes: Yes = False,
    ansatz: Ansaetze = None,
) -> None:
    """Draw what the documentation shows of heads, runs and results."""
    from hybrid_qproj.cli.plotting import PlotOptions, needs_encoder, run_plot  # noqa: PLC0415 - keeps --help fast

    with one_line_errors():
        options = PlotOptions(
            stage,
            None if block is None else tuple(block),
            None if output is None else tuple(output),
            sizes,
            plan,
            text,
            documents,
            limit,
            test,
            measure,
            device,
            yes,
        )
        if needs_encoder(kind):
            from hybrid_qproj._util.extras import require  # noqa: PLC0415 - keeps --help fast

            require("sentence_transformers", "text", "encoding text")
            with without_bars():
                run_plot(kind, what, out, options, ansatz or ())
        else:
            run_plot(kind, what, out, options, ansatz or ())
        typer.echo(f"drawn: {out}")
