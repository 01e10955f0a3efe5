"""What came of each cell of an experiment, on disk as JSON."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError

from hybrid_qproj._util.files import read_bounded, write_atomically
from hybrid_qproj._util.strict_json import parse_json
from hybrid_qproj.errors import HybridQprojError
from hybrid_qproj.training.epochs import Epoch

CELLS = "cells"
MOST_BYTES = 1 << 30
"""Of a record: measures of every query."""


class RecordError(HybridQprojError, ValueError):
    """A record that cannot be read."""


Layers = int | Literal["all"] | tuple[int, ...]
"""Trained encoder layers: how many of the last ones, all, or the numbers of some."""


SizesIn = Literal["numbers", "bytes"]
"""What sizes count: numbers of an output, or bytes of a document."""


def name_layers(layers: Layers) -> int | str:
    """Layers as they stand in a configuration: ``4``, ``all``, ``[0, 9, 10, 11]``."""
    return str(list(layers)) if isinstance(layers, tuple) else layers


class Cell(NamedTuple):
    """One run of the grid.

    Attributes:
        head: name of the head in the configuration.
        k: size: numbers of an output, or bytes of a document where the experiment's sizes are bytes.
        objective: name of the objective; "" where nothing is trained.
        queries: training queries, a number (integer) or a share (float); None where no labels are used.
        layers: trained encoder layers: how many of the last ones, or their numbers; 0 is a frozen encoder.
        seed: of everything random.
    """

    head: str
    k: int
    objective: str
    queries: int | float | None
    layers: Layers
    seed: int

    @property
    def name(self) -> str:
        """For files: unique, without characters that a file system could mind."""
        parts = [self.head, f"k{self.k}", self.objective or "untrained"]
        if self.queries is not None:
            parts.append(f"q{self.queries}")
        # Numbers of layers follow a dot, which tells the fifth one from the last four.
        layers = "".join(f".{n}" for n in self.layers) if isinstance(self.layers, tuple) else self.layers
        text = "_".join([*parts, f"l{layers}", f"s{self.seed}"])
        return "".join(c if c.isalnum() or c in "._-" else "-" for c in text)


@dataclass(frozen=True)
class Histogram:
    """How similarities are distributed.

    Args:
        edges: of the bins, one more than there are bins.
        relevant: count of relevant pairs in each bin.
        other: count of the other pairs.
        kind: "fidelity" or "cosine".
    """

    edges: list[float]
    relevant: list[int]
    other: list[int]
    kind: str


@dataclass(frozen=True)
class Record:
    """What came of a cell.

    Args:
        cell: the cell.
        digest: of all that determines the result.
        parameters: trained parameters of the head.
        stored: numbers the head needs at inference, fitted and drawn ones too, and those of its codec.
        bytes_per_document: of a compressed document.
        loss: before and after training, on the same examples, where something is trained.
        measures: test -> measure -> query -> value.
        histograms: test -> similarities of its pairs.
        epochs: what was measured after each epoch of training, where the experiment asks for that.
        sizes_in: what the cell's size counts, numbers or bytes.
    """

    cell: Cell
    digest: str
    parameters: int
    stored: int
    bytes_per_document: int
    loss: tuple[float, float] | None
    measures: dict[str, dict[str, dict[str, float]]]
    histograms: dict[str, Histogram]
    epochs: list[Epoch] | None = None
    sizes_in: SizesIn = "numbers"


_RECORD = TypeAdapter(Record)


def write_record(folder: Path, record: Record) -> None:
    """Write a record to ``folder/cells``, whole or not at all."""
    (folder / CELLS).mkdir(parents=True, exist_ok=True)
    table: dict[str, Any] = {**asdict(record), "cell": record.cell._asdict()}
    if record.epochs is None:
        del table["epochs"]
    if record.sizes_in == "numbers":
        del table["sizes_in"]
    write_atomically(folder / CELLS / f"{record.cell.name}.json", json.dumps(table).encode())


def read_record(path: Path) -> Record:
    """Read a record.

    Args:
        path: the file.

    Returns:
        the record.

    Raises:
        RecordError: it is damaged, or no record.
    """
    try:
        content = read_bounded(path, MOST_BYTES)
        # Numbers that are none, keys twice and deep nesting are refused there, all else by its type.
        parse_json(content.decode())
        record = _RECORD.validate_json(content, strict=True)
        if path.stem != record.cell.name:
            raise ValueError(f"it is of the cell {record.cell.name!r}")
    except (OSError, ValueError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise RecordError(f"{path} is no whole record ({reason}); delete it: its cell will be run again") from error
    return record


def check_complete(
    folder: Path,
    record: Record,
    tests: Mapping[str, Collection[str]],
    measures: Sequence[str],
    each_epoch: bool = False,
) -> None:
    """Make sure that a record has what a report is made of.

    Args:
        folder: of the experiment.
        record: the record.
        tests: test -> ids of its judged queries.
        measures: the experiment's.
        each_epoch: whether they were also taken after each epoch, if something was trained.

    Raises:
        RecordError: it lacks something, as one that was edited may.
    """
    watched = record.epochs or []
    taken = [record.measures, *(epoch.measures for epoch in watched if each_epoch)]
    whole = set(tests) <= record.histograms.keys() and not (each_epoch and record.cell.objective and not watched)
    whole = whole and all(
        set(found.get(test, {}).get(m, ())) == set(queries)
        for found in taken
        for test, queries in tests.items()
        for m in measures
    )
    sound = all(
        len(table.edges) == len(table.relevant) + 1 == len(table.other) + 1 > 1 for table in record.histograms.values()
    )
    if not (whole and sound):
        path = folder / CELLS / f"{record.cell.name}.json"
        raise RecordError(f"{path} lacks tests, measures or queries; delete it: its cell will be run again")


def read_records(folder: Path) -> list[Record]:
    """All records of an experiment, in the order of their names."""
    return [read_record(path) for path in sorted((folder / CELLS).glob("*.json"))]
