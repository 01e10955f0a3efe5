"""Records of all seeds as one row a head, size, objective and amount of data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from hybrid_qproj.experiments.records import Cell, Layers, Record, SizesIn, name_layers


class Key(NamedTuple):
    """A cell without its seed; fields as in `Cell`."""

    head: str
    k: int
    objective: str
    queries: int | float | None
    layers: Layers

    @classmethod
    def of(cls, cell: Cell) -> Key:
        """The key of a cell."""
        return cls(*cell[:-1])

    def shown(self) -> list[Any]:
        """The fields as tables have them: layers as they stand in a configuration."""
        return [*self[:-1], name_layers(self.layers)]


class Score(NamedTuple):
    """A measure over queries and seeds.

    Attributes:
        mean: over seeds, of the mean over queries.
        sd: standard deviation over seeds of the mean over queries; None with one seed.
    """

    mean: float
    sd: float | None

    @classmethod
    def of(cls, means: Sequence[float] | np.ndarray[Any, Any]) -> Score:
        """The score of the means over queries of each seed."""
        values = np.asarray(means)
        return cls(float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else None)


@dataclass(frozen=True)
class Row:
    """What came of all seeds of a key.

    Args:
        key: the key.
        seeds: how many.
        parameters: trained parameters of the head.
        stored: numbers the head needs at inference.
        bytes_per_document: of a compressed document.
        scores: test or pool -> measure -> score.
        per_query: test or pool -> measure -> query -> value, mean over seeds.
        sizes_in: what the key's size counts, numbers or bytes.
    """

    key: Key
    seeds: int
    parameters: int
    stored: int
    bytes_per_document: int
    scores: Mapping[str, Mapping[str, Score]]
    per_query: Mapping[str, Mapping[str, Mapping[str, float]]]
    sizes_in: SizesIn = "numbers"

    @property
    def size(self) -> str:
        """Its size in words."""
        return show_size(self.key.k, self.sizes_in)


def show_size(size: int, sizes_in: SizesIn) -> str:
    """A size in words: ``k = 64``, ``64 bytes``."""
    return f"k = {size}" if sizes_in == "numbers" else f"{size} bytes"


def summarise(records: Sequence[Record], pools: Mapping[str, Sequence[str]] | None = None) -> list[Row]:
    """Rows of an experiment.

    Args:
        records: of all its cells.
        pools: name -> tests whose queries are also taken together, each query counting once.

    Returns:
        a row a key, in the order in which the keys first occur.
    """
    groups: dict[Key, list[Record]] = {}
    for record in records:
        groups.setdefault(Key.of(record.cell), []).append(record)
    return [_row(key, group, pools or {}) for key, group in groups.items()]


def _row(key: Key, group: Sequence[Record], pools: Mapping[str, Sequence[str]]) -> Row:
    scores: dict[str, dict[str, Score]] = {}
    per_query: dict[str, dict[str, dict[str, float]]] = {}
    tables = [pooled(record.measures, pools) for record in group]
    for test, measures in tables[0].items():
        for measure, values in measures.items():
            queries = list(values)
            # (seeds, queries)
            matrix = np.array([[table[test][measure][query] for query in queries] for table in tables])
            scores.setdefault(test, {})[measure] = Score.of(matrix.mean(axis=1))
            over_seeds = matrix.mean(axis=0).tolist()
            per_query.setdefault(test, {})[measure] = dict(zip(queries, over_seeds, strict=True))
    first = group[0]
    # Fits to different samples may need slightly different numbers of angles.
    stored = max(record.stored for record in group)
    return Row(key, len(group), first.parameters, stored, first.bytes_per_document, scores, per_query, first.sizes_in)


def pareto_front(rows: Sequence[Row], test: str, measure: str) -> list[Row]:
    """Rows that no other row of their size beats with as few numbers or fewer.

    Args:
        rows: the rows, of one k.
        test: test or pool.
        measure: the measure, higher is better.

    Returns:
        the front, from the fewest stored numbers to the most; of equal rows the first.
    """
    front: list[Row] = []
    for row in sorted(rows, key=lambda row: (row.stored, -row.scores[test][measure].mean)):
        if not front or row.scores[test][measure].mean > front[-1].scores[test][measure].mean:
            front.append(row)
    return front


def pooled(
    measures: Mapping[str, dict[str, dict[str, float]]], pools: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, dict[str, float]]]:
    """Measures on tests, with those on pools of tests.

    Args:
        measures: test -> measure -> query -> value; empty where nothing was measured.
        pools: name -> tests.

    Returns:
        test or pool -> measure -> query -> value.
    """
    found = dict(measures)
    for pool, tests in pools.items() if measures else ():
        found[pool] = {
            # Two tests may number their queries alike.
            measure: {f"{test}/{query}": v for test in tests for query, v in measures[test][measure].items()}
            for measure in measures[tests[0]]
        }
    return found
