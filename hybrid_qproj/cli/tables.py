"""What the commands print: tables for people, JSON for programs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from hybrid_qproj.devices.listing import DeviceRow
    from hybrid_qproj.estimate import Estimate

WIDTH = 120
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def make_console() -> Console:
    """A console as wide as the terminal, or wide enough for the tables where output goes to a file or a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


@contextmanager
def block_progress(description: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar over blocks.

    Args:
        description: what is going on.

    Yields:
        a function of the number done and the total.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=make_console()) as progress:
        task = progress.add_task(description.replace("[", r"\["), total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def to_json(data: Any) -> str:
    """A dataclass, or a list of them, as indented JSON."""
    rows = [dataclasses.asdict(row) for row in data] if isinstance(data, list) else dataclasses.asdict(data)
    return json.dumps(rows, indent=2)


def device_table(rows: Sequence[DeviceRow]) -> Table:
    """The devices, a row each.

    Args:
        rows: the devices.
    """
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("device", "installed", "usable", "results", "batches", "seed", "paid", "pip install"):
        table.add_column(column, no_wrap=column in ("device", "pip install"))
    for row in rows:
        table.add_row(
            row.name,
            _yes(row.installed),
            {True: "yes", False: "no", None: "not tried"}[row.usable],
            row.results,
            _yes(row.batches),
            row.seedable,
            "yes" if row.paid else "",
            # As text, or the extra in brackets would be read as a style.
            Text(row.install.removeprefix("pip install ")),
        )
    return table


def device_notes(rows: Sequence[DeviceRow]) -> list[str]:
    """Why devices are not usable, and what others need or offer: a line each.

    Args:
        rows: the devices.
    """
    notes = [f"{row.name}: {row.reason}" for row in rows if row.installed and row.reason]
    exact = [f"{row.name}: exact with backend={name}" for row in rows for name in row.exact_backends]
    return [*notes, *exact]


def estimate_table(result: Estimate) -> Table:
    """The ways to run a head, a row each.

    Args:
        result: the estimate.
    """
    table = Table(
        title=Text(
            f"{result.blocks} {result.circuit} blocks, {result.documents:,} documents on {result.device},\n"
            f"compiled for {result.target}"
        ),
        box=box.SIMPLE_HEAD,
    )
    table.add_column("mode", no_wrap=True)
    priced = any(run.price is not None for run in result.runs)
    columns = ["blocks/circuit", "circuits", "shots", "wires", "depth", "two-qubit gates", "memory"]
    for column in [*columns, "price"] if priced else columns:
        table.add_column(column, justify="right")
    for run in result.runs:
        cells = [
            run.mode,
            str(run.pack),
            f"{run.circuits:,}",
            "exact" if run.shots is None else f"{run.shots:,}",
            str(run.wires),
            str(run.depth),
            str(run.two_qubit_gates),
            "" if run.memory is None else _bytes(run.memory),
        ]
        table.add_row(*cells, *([f"{run.price:,.2f}"] if run.price is not None else []))
    return table


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _bytes(count: int) -> str:
    if count >= 1 << 60:
        # No machine has it: the order of magnitude says so best.
        return f"{float(count):.0e} B"
    size, unit = float(count), 0
    while size >= 1024 and unit < len(_UNITS) - 1:  # noqa: PLR2004 - the step of binary units
        size, unit = size / 1024, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if size >= 10 or not unit else f"{size:.1f} {_UNITS[unit]}"  # noqa: PLR2004
