"""The figures of an experiment's report: from rows and records to what `hybrid_qproj.viz.results` draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hybrid_qproj.experiments.records import Histogram, Record
from hybrid_qproj.experiments.summary import Key, Row, pareto_front
from hybrid_qproj.viz.results import (
    Distribution,
    Point,
    learning_curves,
    quality_against_parameters,
    similarity_histograms,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figures(
    rows: Sequence[Row], records: Sequence[Record], tests: Sequence[str], measure: str, pairs: str
) -> dict[str, Figure]:
    """All figures of a report.

    Args:
        rows: at least one.
        records: of which the rows are.
        tests: tests or pools whose quality is drawn, a figure each.
        measure: the measure.
        pairs: the test of whose pairs there are histograms.

    Returns:
        a figure by name: quality, curves where there are several amounts of data, and histograms.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    found: dict[str, Figure] = {}
    most = max((float(row.key.queries) for row in rows if row.key.queries is not None), default=None)
    whole = [row for row in rows if row.key.queries is None or float(row.key.queries) == most]
    for number, test in enumerate(tests):
        suffix, label = f"-{number + 1}" if len(tests) > 1 else "", f"{measure}, {test}"
        found[f"quality{suffix}"] = quality_against_parameters(points(whole, test, measure), label)
        if len({row.key.queries for row in rows} - {None}) > 1:
            found[f"curves{suffix}"] = learning_curves(points(rows, test, measure), label)
    keys = {row.key for row in whole}
    sizes = {row.key.k for row in rows}
    shown = [r for r in records if Key.of(r.cell) in keys and r.cell.k in (min(sizes), max(sizes))]
    return found | {"histograms": similarity_histograms(distributions(shown, pairs), pairs)}


def points(rows: Sequence[Row], test: str, measure: str) -> list[Point]:
    """How good each row is.

    Args:
        rows: the rows.
        test: test or pool.
        measure: the measure.

    Returns:
        a point a row.
    """
    largest = max((row.key.k for row in rows), default=0)
    heads = [row for row in rows if not (row.stored == 0 and row.key.k == largest)]
    front = {
        row.key
        for k in {row.key.k for row in heads}
        for row in pareto_front([row for row in heads if row.key.k == k], test, measure)
    }
    compressed = {row.key for row in heads}
    return [
        Point(
            row.key.head,
            row.key.k,
            row.key.objective,
            row.key.queries,
            row.stored,
            *row.scores[test][measure],
            level=row.key not in compressed,
            front=row.key in front,
        )
        for row in rows
    ]


def distributions(records: Sequence[Record], test: str) -> list[Distribution]:
    """How similarities are distributed, records of one key averaged.

    Args:
        records: the records.
        test: the test.

    Returns:
        one a key, of relevant and of other pairs.
    """
    groups: dict[Key, list[Histogram]] = {}
    for record in records:
        groups.setdefault(Key.of(record.cell), []).append(record.histograms[test])
    return [
        Distribution(
            f"{key.head}, k = {key.k}\n{key.objective or 'untrained'}",
            group[0].kind,
            group[0].edges,
            {
                "relevant": np.mean([histogram.relevant for histogram in group], axis=0).tolist(),
                "other": np.mean([histogram.other for histogram in group], axis=0).tolist(),
            },
        )
        for key, group in groups.items()
    ]


def saturation(histogram: Histogram) -> tuple[float, float]:
    """Shares of all pairs in the lowest and in the highest bin: near 1, the similarity tells pairs apart no more.

    Args:
        histogram: the histogram.

    Returns:
        the two shares, in [0, 1].
    """
    counts = np.array(histogram.relevant) + np.array(histogram.other)
    total = max(int(counts.sum()), 1)
    return float(counts[0] / total), float(counts[-1] / total)
