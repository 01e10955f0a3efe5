"""An experiment's grid with its progress on the terminal: what `compare` and `demo` have in common."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from hybrid_qproj.cli.progress import reading, running, say
from hybrid_qproj.experiments.cells import cells, digest
from hybrid_qproj.experiments.config import ExperimentConfig
from hybrid_qproj.experiments.data import ExperimentData, read_data
from hybrid_qproj.experiments.grid import run_cells, unfinished
from hybrid_qproj.experiments.manifest import write_manifest
from hybrid_qproj.experiments.records import Cell, Record, check_complete, read_records
from hybrid_qproj.experiments.summary import Key
from hybrid_qproj.experiments.width import find_width


class Finished(NamedTuple):
    """A grid of which every cell is done.

    Attributes:
        records: of the cells, in their order.
        data: what they were trained and evaluated on.
    """

    records: list[Record]
    data: ExperimentData


def run_grid(
    config: ExperimentConfig,
    table: Mapping[str, Any],
    out: Path,
    console: Console,
    workers: int | None = None,
    allow_paid: bool = False,
    early: Callable[[Sequence[Record]], None] | None = None,
) -> Finished:
    """Run the cells of an experiment that have no record yet.

    Args:
        config: the experiment, whose files and devices were looked at.
        table: the same as it stands in its file, for the manifest.
        out: folder of the records, which is held.
        console: where progress is shown.
        workers: processes; one a core for frozen encoders, else one.
        allow_paid: whether the heads' devices may be such that can cost money.
        early: called once with the records of every cell's first seed, when these are done and others are not.

    Returns:
        the records of all cells, and the data.

    Raises:
        ConfigError: a head cannot be built, or a collection cannot give the numbers that are asked for.
        RecordError: a record that is there cannot be read.
        DataError: the data cannot be read.
        ExperimentError: cells failed; the others are recorded and will not run again.
    """
    width, encoder = find_width(config)
    everything = cells(config, width)
    # First seeds first: a whole table of them is there long before the last.
    todo = sorted(unfinished(everything, config, out), key=lambda cell: cell.seed)
    with reading(console) as progress:
        data = read_data(config, progress, encoder)
    say(console, data.problems)
    write_manifest(out, config, dict(table))
    frozen = all(cell.layers == 0 for cell in everything)
    workers = workers or (os.cpu_count() or 1 if frozen else 1)
    console.print(
        f"{config.name}: {len(everything)} cells, {len(everything) - len(todo)} of them done before",
        highlight=False,
        markup=False,
    )
    if todo:
        firsts = _Firsts(everything, todo, out, early)
        with running(console, len(todo)) as advance:

            def done(record: Record) -> None:
                advance()
                firsts.done(record)

            run_cells(todo, config, data, out, workers, done, allow_paid)
    wanted = {cell: digest(cell, config) for cell in everything}
    found = {r.cell: r for r in read_records(out) if wanted.get(r.cell) == r.digest}
    queries = {test.name: list(test.qrels) for test in data.tests}
    for record in found.values():
        check_complete(out, record, queries, config.measures, config.each_epoch)
    return Finished([found[cell] for cell in everything], data)


class _Firsts:
    """Says when the first seed of every cell is done, once, if others are not."""

    def __init__(
        self,
        everything: Sequence[Cell],
        todo: Sequence[Cell],
        out: Path,
        say: Callable[[Sequence[Record]], None] | None,
    ) -> None:
        # Seeds of an experiment need not begin with 0.
        least: dict[Key, int] = {}
        for cell in everything:
            least[Key.of(cell)] = min(cell.seed, least.get(Key.of(cell), cell.seed))
        self._wanted = [cell for cell in everything if cell.seed == least[Key.of(cell)]]
        self._missing = set(todo).intersection(self._wanted)
        self._left = len(todo)
        self._out = out
        self._say = say

    def done(self, record: Record) -> None:
        self._left -= 1
        self._missing.discard(record.cell)
        if self._say is None or self._missing or not self._left:
            return
        say, self._say = self._say, None
        known = {found.cell: found for found in read_records(self._out)}
        say([known[cell] for cell in self._wanted])
