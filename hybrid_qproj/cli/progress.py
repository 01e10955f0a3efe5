"""What the commands of experiments show while they work, and their tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from hybrid_qproj.experiments.summary import Row
from hybrid_qproj.experiments.tables import SIZES


@contextmanager
def reading(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """A bar while data are read and embedded; see `hybrid_qproj.experiments.data.read_data`."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("reading data", total=None)

        def report(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield report


@contextmanager
def running(console: Console, total: int) -> Iterator[Callable[[], None]]:
    """A bar while cells run; what it yields is called after each."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("cells", total=total)
        yield lambda: bar.advance(task)


def say(console: Console, problems: Sequence[str]) -> None:
    """Notes, a line each."""
    for problem in problems:
        console.print(f"note: {problem}", highlight=False, markup=False)


def row_table(rows: Sequence[Row], measure: str, title: str) -> Table:
    """Rows of results by one measure, for a terminal."""
    table = Table(title=title, box=box.SIMPLE_HEAD)
    for column in ("head", "objective"):
        table.add_column(column)
    for column in (SIZES[rows[0].sizes_in], "queries", "parameters", *rows[0].scores):
        table.add_column(column, justify="right")
    for row in rows:
        scores = (f"{score[measure].mean:.4f}" for score in row.scores.values())
        queries = "" if row.key.queries is None else str(row.key.queries)
        table.add_row(row.key.head, row.key.objective, str(row.key.k), queries, f"{row.parameters:,}", *scores)
    return table
