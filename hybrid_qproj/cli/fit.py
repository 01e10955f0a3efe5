"""The command fit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid_qproj.cli.errors import one_line_errors
from hybrid_qproj.cli.options import Yes
from hybrid_qproj.cli.quiet import without_bars


def fit(
    encoder: Annotated[str, typer.Argument(help="Preset, hub name or folder of an encoder.")],
    documents: Annotated[
        str, typer.Argument(help=".tsv or .jsonl, perhaps .gz; a BEIR folder; lee; or an id of ir_datasets.")
    ],
    k: Annotated[int, typer.Option(min=1, help="Angles a text.")],
    out: Annotated[Path, typer.Option(help="Folder of the encoder with its head.")],
    circuit: Annotated[str, typer.Option(help="Ansatz of the blocks.")] = "rotor",
    device: Annotated[str, typer.Option(help="Device string of the head.")] = "default.qubit",
    corrections: Annotated[int, typer.Option(min=0, help="Rounds in which the device corrects weights.")] = 0,
    mixing: Annotated[int, typer.Option(min=0, help="Stages that mix before any merges.")] = 0,
    merging: Annotated[str, typer.Option(help="treelet, or select: the k of largest variance.")] = "treelet",
    pairs: Annotated[str, typer.Option(help="variance or correlation: which pair merges next.")] = "variance",
    depth: Annotated[int | None, typer.Option(min=1, help="Most stages that merge.")] = None,
    power: Annotated[float, typer.Option(help="Exponent of the covariance; 1 loses least variance.")] = 0.5,
    angles: Annotated[int | None, typer.Option(min=1, help="Budget; the merging alone if not given.")] = None,
    limit: Annotated[int | None, typer.Option(min=2, help="Texts that are used.")] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Texts are cut there.")] = 256,
    force: Annotated[bool, typer.Option("--force", help="Replace a model that is at OUT.")] = False,
    yes: Yes = False,
) -> None:
    """Fit a head to unlabelled texts: no training, seconds beside the encoder."""
    with one_line_errors():
        from hybrid_qproj._util.extras import require  # noqa: PLC0415 - keeps --help fast

        require("sentence_transformers", "text", "encoding text")
        from hybrid_qproj.cli.fitting import one_line, run_fit  # noqa: PLC0415 - imports extras
        from hybrid_qproj.fitting import FitSettings  # noqa: PLC0415 - keeps --help fast

        settings = FitSettings(mixing, merging, pairs, depth, power, angles)  # type: ignore[arg-type]  # checked there
        with without_bars():
            fitted = run_fit(
                encoder,
                documents,
                k,
                out,
                circuit,
                device,
                settings,
                corrections,
                limit,
                max_tokens=max_tokens,
                force=force,
                allow_paid=yes,
            )
            typer.echo(f"{one_line(fitted.head)}: {out}")
