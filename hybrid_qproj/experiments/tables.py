"""Results as Markdown for people, CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import csv
import io
import json
import string
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

from hybrid_qproj.experiments.comparisons import Comparison
from hybrid_qproj.experiments.records import SizesIn, name_layers
from hybrid_qproj.experiments.summary import Key, Row, Score

ALPHA = 0.05
SIZES: dict[SizesIn, str] = {"numbers": "k", "bytes": "bytes"}
"""Heads of columns of sizes."""


def rows_to_markdown(rows: Sequence[Row], measure: str) -> str:
    """A table of one measure, a column a test.

    Args:
        rows: the rows.
        measure: the measure.

    Returns:
        Markdown: mean over queries and seeds, and after +- the standard deviation over seeds.
    """
    tests = list(rows[0].scores) if rows else []
    keys = [row.key for row in rows]
    header = [*key_columns(keys), "parameters", "stored", "bytes/doc", "seeds", *(f"{t}" for t in tests)]
    if rows and rows[0].sizes_in == "bytes":
        header[1] = SIZES["bytes"]
    lines = [
        [
            *key_cells(keys, row.key),
            f"{row.parameters:,}",
            f"{row.stored:,}",
            f"{row.bytes_per_document:,}",
            str(row.seeds),
            *(show_score(row.scores[test][measure]) for test in tests),
        ]
        for row in rows
    ]
    return markdown(header, lines)


def sizes_to_markdown(
    rows: Sequence[Row],
    comparisons: Sequence[Comparison],
    test: str,
    measure: str,
    numbers: Literal["parameters", "stored"] = "parameters",
) -> str:
    """A table with a line a head and objective, and a column a size.

    Args:
        rows: the rows, of one number of layers.
        comparisons: with any baselines; of those, the ones on this test are marked.
        test: test or pool.
        measure: the measure.
        numbers: which count of the head's numbers is shown: trained ones, or all that it stores.

    Returns:
        Markdown. A letter after a value says from which baseline it differs significantly, after Holm's correction:
        the legend below the table names it, with + where the value is higher and - where it is lower.
    """
    full = [row for row in rows if row.stored == 0 and row.key.k == max(r.key.k for r in rows)]
    sizes = {row.key.k: row.size for row in sorted(rows, key=lambda row: -row.key.k) if row not in full}
    letters = dict(zip(dict.fromkeys(c.baseline.head for c in comparisons), string.ascii_lowercase, strict=False))
    marks: dict[Key, str] = {}
    for c in comparisons:
        if c.test == test and c.measure == measure and c.corrected < ALPHA:
            marks[c.head] = f"{marks.get(c.head, '')} {letters[c.baseline.head]}{'+' if c.difference > 0 else '-'}"
    table = {(row.key.head, row.key.objective, row.key.queries, row.key.k): row for row in rows if row not in full}
    header = ["head", "objective", "queries", numbers, *sizes.values()]
    lines = [
        [r.key.head, r.key.objective or "-", "-", "0", f"{show_score(r.scores[test][measure])} ({r.size})"]
        + [""] * (len(sizes) - 1)
        for r in full
    ]
    for head, objective, queries in dict.fromkeys(key[:3] for key in table):
        found = [table.get((head, objective, queries, k)) for k in sizes]
        counts = [f"{getattr(row, numbers):,}" for row in found if row is not None]
        values = [
            "" if row is None else show_score(row.scores[test][measure]) + marks.get(row.key, "") for row in found
        ]
        span = counts[0] if len(set(counts)) == 1 else f"{counts[0]} to {counts[-1]}"
        lines.append([head, objective or "-", "-" if queries is None else str(queries), span, *values])
    if len({line[2] for line in lines}) <= 2:  # noqa: PLR2004 - one amount of labels, and none
        header, lines = [h for h in header if h != "queries"], [line[:2] + line[3:] for line in lines]
    legend = "; ".join(f"{letter}: from {name}" for name, letter in letters.items())
    return markdown(header, lines) + (
        f"\nSignificant differences (p < {ALPHA} after Holm): {legend}.\n" if legend else ""
    )


def comparisons_to_markdown(comparisons: Sequence[Comparison], sizes_in: SizesIn = "numbers") -> str:
    """A table of comparisons with one baseline on one test; significant ones carry an asterisk.

    Args:
        comparisons: the comparisons.
        sizes_in: what their sizes count.
    """
    fields = ["head", SIZES[sizes_in], "objective", "queries", "layers", "baseline"]
    header = [*fields, "difference", "95 % interval", "p", "p (Holm)"]
    lines = [
        [
            c.head.head,
            str(c.head.k),
            c.head.objective or "-",
            "-" if c.head.queries is None else str(c.head.queries),
            str(name_layers(c.head.layers)),
            c.baseline.head,
            f"{c.difference:+.4f}" + ("*" if c.corrected < ALPHA else ""),
            f"{c.low:+.4f} to {c.high:+.4f}",
            f"{c.p:.4f}",
            f"{c.corrected:.4f}",
        ]
        for c in comparisons
    ]
    return markdown(header, lines)


def rows_to_csv(rows: Sequence[Row]) -> str:
    """All scores, a line a row, test and measure."""
    lines = [
        [
            *row.key.shown(),
            row.parameters,
            row.stored,
            row.bytes_per_document,
            row.seeds,
            test,
            measure,
            score.mean,
            score.sd,
        ]
        for row in rows
        for test, measures in row.scores.items()
        for measure, score in measures.items()
    ]
    columns = ["parameters", "stored", "bytes_per_document", "seeds", "test", "measure", "mean", "sd"]
    return to_csv([*Key._fields, *columns], lines)


def comparisons_to_csv(comparisons: Sequence[Comparison]) -> str:
    """All comparisons, a line each."""
    lines = [
        [*c.head.shown(), c.baseline.head, c.test, c.measure, c.difference, c.low, c.high, c.p, c.corrected]
        for c in comparisons
    ]
    columns = ["baseline", "test", "measure", "difference", "low", "high", "p", "p_holm"]
    return to_csv([*Key._fields, *columns], lines)


def to_json(rows: Sequence[Row], comparisons: Sequence[Comparison]) -> str:
    """Everything, per-query values included."""
    found = {
        "rows": [{**asdict(row), "key": row.key._asdict()} for row in rows],
        "comparisons": [{**asdict(c), "head": c.head._asdict(), "baseline": c.baseline._asdict()} for c in comparisons],
    }
    return json.dumps(found, indent=1)


def to_csv(header: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
    """Lines as CSV; None is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return text.getvalue()


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Lines as a Markdown table, text to the left and numbers to the right."""
    numeric = [all(line[i][:1] in "+-0123456789" for line in lines) for i in range(len(header))]
    rule = ["--:" if right else "---" for right in numeric]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (header, rule, *lines))


def key_columns(keys: Sequence[Key]) -> list[str]:
    """The fields that differ between the keys of a table, and those that name a row in any case."""
    varying = [f for f in ("objective", "queries", "layers") if len({getattr(key, f) for key in keys}) > 1]
    return ["head", "k", *varying]


def key_cells(keys: Sequence[Key], key: Key) -> list[str]:
    """What stands in those columns for one of the keys."""
    shown = dict(zip(Key._fields, key.shown(), strict=True))
    return ["-" if shown[name] in ("", None) else str(shown[name]) for name in key_columns(keys)]


def show_score(score: Score) -> str:
    """A mean, and after ± the standard deviation where there is one."""
    return f"{score.mean:.4f}" + ("" if score.sd is None else f" ± {score.sd:.4f}")
