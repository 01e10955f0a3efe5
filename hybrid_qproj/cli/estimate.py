"""The command estimate."""

from __future__ import annotations

from typing import Annotated

import typer

from hybrid_qproj.cli.errors import one_line_errors
from hybrid_qproj.cli.heads import open_head
from hybrid_qproj.cli.options import Ansaetze, Json


def estimate(
    model: Annotated[str, typer.Argument(help="Folder of a saved head, or of a saved encoder with a head.")],
    device: Annotated[str, typer.Option(help="Device string, such as 'qiskit.remote?backend=fake_torino&shots=4000'.")],
    documents: Annotated[int, typer.Option(min=1, help="Documents to project.")] = 1,
    price_per_shot: Annotated[float | None, typer.Option(min=0, help="The vendor's price of a shot.")] = None,
    price_per_task: Annotated[float | None, typer.Option(min=0, help="The vendor's price of a circuit.")] = None,
    json: Json = False,
    ansatz: Ansaetze = None,
) -> None:
    """Count circuits, shots, gates, memory and price of a head on a device. Sends nothing."""
    from hybrid_qproj.cli import tables  # noqa: PLC0415 - keeps --help fast
    from hybrid_qproj.estimate import estimate as count  # noqa: PLC0415 - keeps --help fast

    with one_line_errors():
        result = count(open_head(model, ansatz or ()), device, documents, price_per_shot, price_per_task)
        if json:
            typer.echo(tables.to_json(result))
            return
        printer = tables.make_console()
        printer.print(tables.estimate_table(result))
        for note in result.notes:
            printer.print(note, highlight=False, markup=False)
