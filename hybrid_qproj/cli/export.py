"""The command export."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hybrid_qproj.cli.errors import one_line_errors
from hybrid_qproj.cli.heads import open_any_head
from hybrid_qproj.cli.options import Ansaetze, Device, Yes
from hybrid_qproj.cli.quiet import without_bars


def export(
    model: Annotated[str, typer.Argument(help="Folder of a saved head, or of a saved encoder with a head.")],
    out: Annotated[Path, typer.Option(help="File to write, .onnx.")],
    encoder: Annotated[
        bool, typer.Option("--encoder", help="The encoder too: token numbers in; its tokenizer is written beside it.")
    ] = False,
    device: Device = None,
    yes: Yes = False,
    ansatz: Ansaetze = None,
) -> None:
    """Write a head, or an encoder with its head, as an ONNX file without torch and PennyLane; compare the two."""
    from hybrid_qproj.heads.onnx import check_format, largest_difference  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.loading import choose_device  # noqa: PLC0415 - keeps --help fast

    with one_line_errors():
        check_format(out, "onnx")
        if encoder:
            typer.echo(_export_encoder(model, out, device, yes, ansatz or ()))
            return
        head = open_any_head(model, ansatz or ())
        choose_device(head, device, yes)
        head.export(out)
        difference = largest_difference(head.frozen().cpu(), out, head.in_features)
        typer.echo(
            f"{head.kind} {head.in_features} -> {head.output_width}: {out} ({out.stat().st_size:,} bytes); outputs of "
            f"onnxruntime are within {difference:.1e} of torch's"
        )


def _export_encoder(model: str, out: Path, device: str | None, yes: bool, ansaetze: Sequence[str]) -> str:
    from hybrid_qproj._util.extras import require  # noqa: PLC0415 - keeps --help fast

    require("sentence_transformers", "text", "an encoder with a head")
    from hybrid_qproj.loading import load  # noqa: PLC0415 - imports extras
    from hybrid_qproj.models.onnx import export_encoder  # noqa: PLC0415 - imports extras

    with without_bars():
        loaded = load(model, device="cpu", quantum_device=device, ansaetze=ansaetze, allow_paid=yes)
        written = export_encoder(loaded, out)
    beside = f", tokenizer: {written.tokenizer}" if written.tokenizer is not None else ""
    return (
        f"encoder and {loaded.head.kind}, {', '.join(written.inputs)} -> {loaded.head.output_width}: {out} "
        f"({out.stat().st_size:,} bytes){beside}; outputs of onnxruntime are within {written.difference:.1e} of torch's"
    )
