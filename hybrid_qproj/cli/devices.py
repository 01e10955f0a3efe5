"""The command devices."""

from __future__ import annotations

import typer

from hybrid_qproj.cli.errors import one_line_errors
from hybrid_qproj.cli.options import Json


def devices(json: Json = False) -> None:
    """List known devices: installed, usable now, exact or sampled, seeds, how to install. Runs nothing."""
    from hybrid_qproj.cli import tables  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.devices import adapter_for  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.devices.listing import list_devices, other_devices  # noqa: PLC0415 - keeps --help fast

    with one_line_errors():
        rows = list_devices()
        if json:
            typer.echo(tables.to_json(rows))
            return
        printer = tables.make_console()
        printer.print(tables.device_table(rows))
        notes = tables.device_notes(rows)
        if others := other_devices():
            notes.append(f"Also installed, run with safe settings: {', '.join(others)}")
            if paid := [name for name in others if adapter_for(name).paid]:
                notes.append(f"Not known to run here, so they want --yes: {', '.join(paid)}")
        for note in notes:
            printer.print(note, highlight=False, markup=False)
