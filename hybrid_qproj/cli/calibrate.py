"""The command calibrate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid_qproj.cli.errors import one_line_errors
from hybrid_qproj.cli.heads import open_head
from hybrid_qproj.cli.options import Ansaetze, Yes


def calibrate(
    model: Annotated[str, typer.Argument(help="Folder of a saved head, or of a saved encoder with a head.")],
    device: Annotated[str, typer.Option(help="Device string, such as 'qiskit.remote?backend=fake_torino&shots=4000'.")],
    out: Annotated[Path, typer.Option(help="Calibration file to write (safetensors).")],
    yes: Yes = False,
    ansatz: Ansaetze = None,
) -> None:
    """Measure a head's blocks on a device, once. Run again after an interruption, it goes on where it was."""
    from hybrid_qproj import calibration  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.cli import tables  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.devices import DeviceSpec, can_cost  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.estimate import check_runs  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.estimate import estimate as count  # noqa: PLC0415 - keeps --help fast

    with one_line_errors():
        head, spec = open_head(model, ansatz or ()), DeviceSpec.parse(device)
        if can_cost(spec) and not yes:
            tables.make_console().print(tables.estimate_table(count(head, spec)))
        check_runs(head, spec, yes)
        with tables.block_progress(f"measuring on {spec}") as progress:
            measured = calibration.calibrate(head, spec, out, progress, allow_paid=yes)
        typer.echo(
            f"{measured.record['blocks']} blocks measured on {spec}, largest standard error of a response "
            f"{measured.errors.max():.4f}: {out}"
        )
