"""Heads on 768 numbers, the width of the publication's encoders: tables, figures and goals of docs/results.md.

Runs examples/mpnet on all-mpnet-base-v2 (`make mpnet`) and ../shared/data. Interrupted runs go on; names choose some:
python -m benchmarks.mpnet main few-shot
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.fitted import MEASURE, SHARED, TABLES, lend_datasets
from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.cli.run.compare import run_compare
from hybrid_qproj.experiments.comparisons import compare
from hybrid_qproj.experiments.config import load_config
from hybrid_qproj.experiments.summary import Row
from hybrid_qproj.experiments.tables import (
    ALPHA,
    comparisons_to_markdown,
    markdown,
    rows_to_markdown,
    sizes_to_markdown,
)
from hybrid_qproj.retrieval.significance import holm, paired_randomization

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
EXPERIMENTS = ("main", "few-shot", "cranfield")
PUBLISHED = "u_cu chain (published)"
QUANTUM = ("u_cu tree", "rotor tree", "treelet", "6,144 angles", "treelet, tuned")
MOST = 6145
"""Numbers of a head at most: 6,144 angles, and a scale."""
WIDE = 256
FITTED = ("treelet", "6,144 angles")


class Test(NamedTuple):
    """A head against another: difference of means over queries, p of the paired randomisation test."""

    head: Row
    baseline: Row
    difference: float
    p: float


def main() -> None:
    if not SHARED.is_dir():
        sys.exit("../shared/data is not beside this checkout: these results cannot be made here")
    lend_datasets()
    for name in sys.argv[1:] or EXPERIMENTS:
        run(name)


def run(name: str) -> None:
    """Run an experiment; write a table and a figure for each of its pools or tests."""
    path, out = ROOT / "examples" / "mpnet" / f"{name}.toml", ROOT / "results" / f"mpnet-{name}"
    config = load_config(path)
    rows = run_compare(path, out)
    pools = list(config.pools) or [test.name for test in config.test]
    for number, pool in enumerate(pools, start=1):
        comparisons = [c for baseline in config.baselines for c in compare(rows, baseline, pool, MEASURE)]
        suffix = f"-{number}" if config.pools else ""
        table = sizes_to_markdown(rows, comparisons, pool, MEASURE, "stored")
        if len(config.fractions) > 1:
            table = rows_to_markdown(rows, MEASURE)
            wanted = [c for c in comparisons if c.head.head in (PUBLISHED, *QUANTUM)]
            write_atomically(TABLES / f"mpnet-{name}-tests{suffix}.md", comparisons_to_markdown(wanted).encode())
        write_atomically(TABLES / f"mpnet-{name}{suffix}.md", table.encode())
        figure = f"{'curves' if len(config.fractions) > 1 else 'quality'}{suffix}.svg"
        shutil.copy(out / figure, IMAGES / f"mpnet-{name}-{figure}")
    if name == "main":
        write_atomically(TABLES / "mpnet-goals.md", goals(rows, pools[:2]).encode())


def goals(rows: Sequence[Row], pools: Sequence[str]) -> str:
    """What was wanted at the publication's widths, and whether it is so."""
    lines = []
    for pool in pools:
        for head in QUANTUM:
            mine = [row for row in rows if row.key.head == head and row.key.k == WIDE and row.stored <= MOST]
            for baseline, wanted in (("linear", "not below"), ("full", "not significantly below")):
                tests = [
                    test for row in mine for other in _others(rows, row, baseline) if (test := _test(row, other, pool))
                ]
                lines += _line(f"{head}, k = {WIDE}: {wanted} {baseline}", pool, tests, wanted == "not below")
        for head in FITTED:
            mine = [row for row in rows if row.key.head == head and row.key.k == WIDE // 2]
            tests = [_test(row, other, pool) for row in mine for other in _others(rows, row, "PCA")]
            lines += _line(f"{head}, k = {WIDE // 2}: above PCA", pool, tests, True)
    return markdown(["goal", "collection", f"{MEASURE} difference, p after Holm", "met"], lines)


def _others(rows: Sequence[Row], row: Row, baseline: str) -> list[Row]:
    """A baseline at the same size: trained for the same objective, or if the head is not trained, for any."""
    return [
        other
        for other in rows
        if other.key.head == baseline
        and (baseline == "full" or other.key.k == row.key.k)
        and (not other.key.objective or not row.key.objective or other.key.objective == row.key.objective)
    ]


def _test(row: Row, other: Row, pool: str) -> Test:
    mine, theirs = row.per_query[pool][MEASURE], other.per_query[pool][MEASURE]
    difference = row.scores[pool][MEASURE].mean - other.scores[pool][MEASURE].mean
    return Test(row, other, difference, paired_randomization(mine, theirs, 0))


def _line(goal: str, pool: str, tests: Sequence[Test], by_mean: bool) -> list[list[str]]:
    if not tests:
        return []
    corrected = holm([test.p for test in tests])
    shown, bad = [], False
    for test, p in zip(tests, corrected, strict=True):
        trained = test.head.key.objective or test.baseline.key.objective
        shown.append(f"{trained + ': ' if trained else ''}{test.difference:+.4f} (p = {p:.3f})")
        bad |= test.difference < 0 and (by_mean or p < ALPHA)
    return [[goal, pool, "; ".join(shown), "no" if bad else "yes"]]


if __name__ == "__main__":
    main()
