"""How 3,072 angles are best spent: the table of differences from PCA in docs/results.md.

Runs examples/budget, of which trec-dl needs ../shared/data beside the checkout; interrupted runs go on:
python -m benchmarks.fitted_budget
"""

from __future__ import annotations

import sys

from benchmarks.fitted import MEASURE, NEAR, ROOT, SHARED, TABLES, lend_datasets
from hybrid_qproj.checkpoint import write_atomically
from hybrid_qproj.experiments.commands import run_compare
from hybrid_qproj.experiments.comparisons import compare
from hybrid_qproj.experiments.config import load_config
from hybrid_qproj.experiments.tables import markdown

CONFIGS = ("lee", "cranfield", "trec-dl")
BASELINE, WHOLE = "PCA", "full"


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
    lines = [
        [head, *(" ".join(f"{d:+.4f}" for d in found[c]) for c in collections), f"{min(map(min, found.values())):+.4f}"]
        for head, found in differences.items()
    ]
    sizes = ", ".join(map(str, config.sizes))
    write_atomically(TABLES / "budget.md", markdown([f"k = {sizes}", *collections, "least"], lines).encode())
    met = [head for head, found in differences.items() if min(map(min, found.values())) >= -NEAR]
    print(f"within {NEAR} of {BASELINE} everywhere: {', '.join(met) or 'none'}")


if __name__ == "__main__":
    main()
