"""How 3,072 angles are best spent: the table of differences from PCA in docs/results.md.

Runs examples/budget, of which trec-dl needs ../shared/data beside the checkout; interrupted runs go on:
python -m benchmarks.fitted_budget
"""

from __future__ import annotations

import sys

from benchmarks.fitted import MEASURE, ROOT, SHARED, TABLES, lend_datasets
from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.cli.run.compare import run_compare
from hybrid_qproj.experiments.comparisons import compare
from hybrid_qproj.experiments.config import load_config
from hybrid_qproj.experiments.tables import markdown

CONFIGS = ("lee", "cranfield", "trec-dl")
BASELINE, WHOLE = "PCA", "full"
NEAR = 0.01
"""How far below PCA a head of 3,072 angles may be at any size, on any collection."""


def main() -> None:
    """Run all, write the table."""
    if not SHARED.is_dir():
        sys.exit("../shared/data is not beside this checkout; run examples/budget/lee.toml by hybrid-qproj compare")
    lend_datasets()
    differences: dict[str, dict[str, list[float]]] = {}
    for name in CONFIGS:
        path = ROOT / "examples" / "budget" / f"{name}.toml"
        config = load_config(path)
        rows = run_compare(path, ROOT / "results" / "budget" / name)
        for pool in config.pools or [test.name for test in config.test]:
            for c in compare(rows, BASELINE, pool, MEASURE):
                if c.head.head != WHOLE:
                    differences.setdefault(c.head.head, {}).setdefault(pool, []).append(c.difference)
    collections = list(next(iter(differences.values())))
    lines = []
    for head, found in differences.items():
        least = min(map(min, found.values()))
        shown = [" ".join(f"{d:+.4f}" for d in found[c]) for c in collections]
        lines.append([head, *shown, f"{least:+.4f}", "yes" if least >= -NEAR else "no"])
    header = [f"k = {', '.join(map(str, config.sizes))}", *collections, "least", f"within {NEAR}"]
    write_atomically(TABLES / "budget.md", markdown(header, lines).encode())


if __name__ == "__main__":
    main()
