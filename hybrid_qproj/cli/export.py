"""The command export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid_qproj.cli.errors import one_line_errors
from hybrid_qproj.cli.heads import open_any_head
from hybrid_qproj.cli.options import Ansaetze, Device, Yes


def export(
    model: Annotated[str, typer.Argument(help="Folder of a saved head, or of a saved encoder with a head.")],
    out: Annotated[Path, typer.Option(help="File to write, .onnx.")],
    device: Device = None,
    yes: Yes = False,
    ansatz: Ansaetze = None,
) -> None:
    """Write a head as an ONNX file, which runs without torch and PennyLane, and compare the two."""
    from hybrid_qproj.heads.onnx import check_format, largest_difference  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.loading import choose_device  # noqa: PLC0415 - keeps --help fast

    with one_line_errors():
        check_format(out, "onnx")
        head = open_any_head(model, ansatz or ())
        choose_device(head, device, yes)
        head.export(out)
        difference = largest_difference(head.frozen().cpu(), out, head.in_features)
        typer.echo(
            f"{head.kind} {head.in_features} -> {head.output_width}: {out} ({out.stat().st_size:,} bytes); outputs of "
            f"onnxruntime are within {difference:.1e} of torch's"
        )
