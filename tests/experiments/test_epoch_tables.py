"""Tables of what was measured after each epoch."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

for _module in ("pydantic", "matplotlib"):
    pytest.importorskip(_module, reason="needs the extra 'train'")

from hybrid_qproj.experiments.epoch_tables import (  # noqa: E402
    epochs_to_csv,
    epochs_to_markdown,
    validation_to_markdown,
)
from hybrid_qproj.experiments.records import Cell, Record  # noqa: E402
from hybrid_qproj.training.epochs import Epoch  # noqa: E402


def record(head, seed, scores, losses, layers=(0, 2), queries=10):
    """A record of two tests of two queries, whose second one is always at 0.5."""
    epochs = None
    if scores is not None:
        epochs = [
            Epoch(number, loss, {"A": {"MAP": {"q": score, "r": 0.5}}, "B": {"MAP": {"s": score, "t": 0.0}}})
            for number, (score, loss) in enumerate(zip(scores, losses, strict=True), 1)
        ]
    return Record(Cell(head, 8, "labels", queries, layers, seed), "d", 1, 1, 32, None, {}, {}, epochs)


RECORDS = [
    record("linear", 0, [0.1, 0.3, 0.2], [3.0, 2.0, 1.0]),
    record("linear", 1, [0.3, 0.5, 0.4], [1.0, 1.0, 2.0]),
    record("quantum", 0, [0.9, 0.7], [None, None]),
    record("fixed", 0, None, None),
]
POOLS = {"both": ["A", "B"]}


def lines_of(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_a_column_an_epoch():
    """Means over queries and seeds; each seed's epoch of least validation loss, the first of equal ones."""
    header, _, linear, quantum = lines_of(epochs_to_markdown(RECORDS, POOLS, "A", "MAP"))
    assert header == ["head", "k", "1", "2", "3", "last", "least validation loss"]
    # Seed 0 chooses its third epoch, seed 1 its first.
    assert linear == ["linear", "8", "0.3500", "0.4500", "0.4000", "0.4000 ± 0.0707", "0.3750 ± 0.0354"]
    # It has two epochs and no validation loss.
    assert quantum == ["quantum", "8", "0.7000", "0.6000", "", "0.6000", "-"]


def test_pools():
    """Each query counts once, as everywhere."""
    *_, quantum = lines_of(epochs_to_markdown(RECORDS, POOLS, "both", "MAP"))
    assert quantum[2] == f"{(0.9 + 0.5 + 0.9 + 0.0) / 4:.4f}"


def test_keys_that_differ_have_columns():
    """Layers as they stand in a configuration."""
    more = [*RECORDS, record("linear", 0, [0.1], [1.0], layers=4), record("linear", 0, [0.1], [1.0], queries=0.5)]
    lines = lines_of(epochs_to_markdown(more, {}, "A", "MAP"))
    assert lines[0][:4] == ["head", "k", "queries", "layers"]
    assert [line[2:4] for line in lines[2:]] == [["10", "[0, 2]"], ["10", "[0, 2]"], ["10", "4"], ["0.5", "[0, 2]"]]


def test_validation_losses():
    """Means over seeds, of those that have one."""
    header, _, linear = lines_of(validation_to_markdown(RECORDS))
    assert header == ["head", "k", "1", "2", "3"]
    assert linear == ["linear", "8", "2.0000", "1.5000", "1.5000"]


def test_all_of_it_as_csv():
    """A line a cell, epoch, test and measure, so that any other choice can be made."""
    rows = list(csv.DictReader(io.StringIO(epochs_to_csv(RECORDS, POOLS))))
    assert len(rows) == (3 + 3 + 2) * 3
    (one,) = [row for row in rows if (row["seed"], row["epoch"], row["test"]) == ("1", "2", "A")]
    assert {key: one[key] for key in ("head", "layers", "validation_loss", "measure", "mean")} == {
        "head": "linear",
        "layers": "[0, 2]",
        "validation_loss": "1.0",
        "measure": "MAP",
        "mean": "0.5",
    }
    without_tests = [replace(RECORDS[0], epochs=[Epoch(1.0, 0.5, {})])]
    (row,) = csv.DictReader(io.StringIO(epochs_to_csv(without_tests, POOLS)))
    assert (row["validation_loss"], row["test"], row["mean"]) == ("0.5", "", "")
