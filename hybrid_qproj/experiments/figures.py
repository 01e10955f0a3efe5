"""The figures of an experiment's report: from rows and records to what `hybrid_qproj.viz.results` draws."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hybrid_qproj._util.files import read_json
from hybrid_qproj._util.suggest import suggestion
from hybrid_qproj.experiments.records import Histogram, Record, RecordError, read_records
from hybrid_qproj.experiments.summary import Key, Row, pareto_front, show_size, summarise
from hybrid_qproj.viz.method.canvas import PlotError
from hybrid_qproj.viz.results import (
    Distribution,
    Point,
    learning_curves,
    quality_against_bytes,
    quality_against_parameters,
    similarity_histograms,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST = 1 << 30
"""Bytes of results.json, which holds every query's values."""


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
        a figure by name: quality, bytes where sizes are such, curves where there are several amounts of data, and
        histograms.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    found: dict[str, Figure] = {}
    most = max((float(row.key.queries) for row in rows if row.key.queries is not None), default=None)
    whole = [row for row in rows if row.key.queries is None or float(row.key.queries) == most]
    for number, test in enumerate(tests):
        suffix, label = f"-{number + 1}" if len(tests) > 1 else "", f"{measure}, {test}"
        found[f"quality{suffix}"] = quality_against_parameters(points(whole, test, measure), label)
        if rows[0].sizes_in == "bytes":
            found[f"bytes{suffix}"] = quality_against_bytes(points(whole, test, measure), label)
        if len({row.key.queries for row in rows} - {None}) > 1:
            found[f"curves{suffix}"] = learning_curves(points(rows, test, measure), label)
    keys = {row.key for row in whole}
    sizes = {row.key.k for row in rows}
    shown = [r for r in records if Key.of(r.cell) in keys and r.cell.k in (min(sizes), max(sizes))]
    return found | {"histograms": similarity_histograms(distributions(shown, pairs), pairs)}


def report_figure(folder: Path, name: str, test: str | None = None, measure: str | None = None) -> Figure:
    """A figure of a report again, of another test or measure if that is asked for.

    Args:
        folder: results of ``compare``.
        name: quality, bytes, curves or histograms.
        test: which test; the first when None.
        measure: which measure; the first when None.

    Returns:
        the figure.

    Raises:
        RecordError: the folder holds no such results.
        PlotError: there is no such figure, test or measure in it.
        MissingExtraError: matplotlib is not installed.
    """
    records = _reported(folder)
    rows = summarise(records)
    tests, measures = list(rows[0].scores), list(next(iter(rows[0].scores.values())))
    for what, asked, known in (("test", test, tests), ("measure", measure, measures)):
        if asked is not None and asked not in known:
            raise PlotError(f"{what} {asked!r}: {folder} has {', '.join(known)}{suggestion(asked, known)}")
    shown = test or tests[0]
    found = figures(rows, records, [shown], measure or measures[0], shown)
    if name not in found:
        why = "its sizes are numbers" if name == "bytes" else "its heads were trained on one amount of data"
        raise PlotError(f"{folder} has no {name}: {why}")
    return found[name]


def _reported(folder: Path) -> list[Record]:
    """Records of the rows of a report: older ones may lie beside them."""
    path = folder / "results.json"
    try:
        keys = {Key(**row["key"]) for row in read_json(path, LARGEST)["rows"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(
            f"{path} cannot be read ({type(error).__name__}: {error}); expected the folder of a finished compare"
        ) from error
    records = [record for record in read_records(folder) if Key.of(record.cell) in keys]
    if not records:
        raise RecordError(f"{folder} has none of the records that {path.name} is made of")
    return records


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
            size=row.size,
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
    sizes: dict[Key, str] = {}
    for record in records:
        key = Key.of(record.cell)
        groups.setdefault(key, []).append(record.histograms[test])
        sizes[key] = show_size(key.k, record.sizes_in)
    return [
        Distribution(
            f"{key.head}, {sizes[key]}\n{key.objective or 'untrained'}",
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
