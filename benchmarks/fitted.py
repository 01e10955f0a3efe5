"""Fitted heads beside all others, on four collections: tables, figures and the stated goals of docs/results.md.

Runs examples/lee.toml everywhere, examples/cranfield.toml where ir_datasets finds Cranfield, and of examples/trec-dl
fitted.toml and fitted-ablation.toml where ../shared/data lies beside the checkout. Interrupted runs go on; names choose
some of them: python -m benchmarks.fitted lee cranfield
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.cli.run.compare import run_compare
from hybrid_qproj.experiments.comparisons import Comparison, compare
from hybrid_qproj.experiments.config import load_config
from hybrid_qproj.experiments.summary import Row, pareto_front
from hybrid_qproj.experiments.tables import ALPHA, markdown, sizes_to_markdown
from hybrid_qproj.retrieval.significance import holm

ROOT = Path(__file__).resolve().parents[1]
TABLES = ROOT / "docs" / "results"
IMAGES = ROOT / "docs" / "images"
SHARED = ROOT.parent / "shared" / "data"
MEASURE = "NDCG@10"
CONFIGS = {
    "lee": "lee.toml",
    "cranfield": "cranfield.toml",
    "fitted": "trec-dl/fitted.toml",
    "fitted-ablation": "trec-dl/fitted-ablation.toml",
}
BUDGET = "3,072 angles"
FITTED = "treelet"
TUNED = "treelet, tuned"
FEWEST, MOST = 256, 6000
"""Numbers of a head between which it shall be on the Pareto front."""
SMALL = 64


class Collection(NamedTuple):
    """One collection's results.

    Attributes:
        name: test or pool.
        rows: of all heads.
        comparisons: with all baselines.
    """

    name: str
    rows: list[Row]
    comparisons: list[Comparison]


def main() -> None:
    """Run what is asked for and can be run."""
    names = sys.argv[1:] or list(CONFIGS)
    if SHARED.is_dir():
        lend_datasets()
    elif wrong := {"fitted", "fitted-ablation"}.intersection(names):
        names = [name for name in names if name not in wrong]
        print(f"left out: {', '.join(sorted(wrong))}; ../shared/data is not beside this checkout", file=sys.stderr)
    collections = []
    for name in names:
        found = run(name)
        if name != "fitted-ablation":
            collections += found
    if set(CONFIGS) - {"fitted-ablation"} <= set(names):
        write_atomically(TABLES / "goals.md", goals(collections).encode())


def run(name: str) -> list[Collection]:
    """Run an experiment; write a table and a figure for each of its pools or tests."""
    path, out = ROOT / "examples" / CONFIGS[name], ROOT / "results" / name
    config = load_config(path)
    rows = run_compare(path, out)
    found = []
    for number, pool in enumerate(config.pools or [test.name for test in config.test], start=1):
        comparisons = [c for baseline in config.baselines for c in compare(rows, baseline, pool, MEASURE)]
        table = sizes_to_markdown(rows, comparisons, pool, MEASURE, "stored")
        suffix = f"-{number}" if config.pools else ""
        write_atomically(TABLES / f"{name}{suffix}.md", table.encode())
        if name != "fitted-ablation":
            shutil.copy(out / f"quality{suffix}.svg", IMAGES / f"{name}-quality{suffix}.svg")
        found.append(Collection(pool, rows, comparisons))
    return found


def goals(collections: Sequence[Collection]) -> str:
    """What was wanted of fitted heads, what they do, and whether that is enough."""
    lines = [[f"front from {FEWEST} to {MOST:,} numbers", c.name, *_front(c)] for c in collections]
    trec = next(c for c in collections if "re-ranked" in c.name)
    for head, objective in ((FITTED, ""), (TUNED, "distillation")):
        small = [c for c in _against(trec, "PCA", head) if c.head.k <= SMALL and c.head.objective == objective]
        goal = f"{head} {objective}".strip() + f" significantly above PCA, k <= {SMALL}"
        lines.append([goal, trec.name, _tested(small), _yes(_above(small))])
    for collection in collections:
        for objective in ("labels", "both"):
            labelled = [c for c in _against(collection, "linear", TUNED) if c.head.objective == objective]
            if labelled:
                met = all(c.difference > 0 for c in labelled)
                goal = f"{TUNED} above linear, both trained on {objective.replace('both', 'labels and texts')}"
                lines.append([goal, collection.name, _tested(labelled), _yes(met)])
    for collection in (c for c in collections if c.name.startswith("both years")):
        largest = max(row.key.k for row in collection.rows if row.key.head == FITTED)
        whole = [
            c for head in (FITTED, BUDGET, TUNED) for c in _against(collection, "full", head) if c.head.k == largest
        ]
        text = "; ".join(f"{c.head.head} {c.head.objective}: {_tested([c])}".replace(" :", ":") for c in whole)
        met = any(c.difference >= 0 for c in whole)
        lines.append([f"k = {largest} not below the full embedding", collection.name, text, _yes(met)])
    return markdown(["goal", "collection", f"{MEASURE} difference, p after Holm", "met"], lines)


def _front(collection: Collection) -> list[str]:
    """Of each size, the heads on the Pareto front of all heads in the range; whether all or some of them are fitted."""
    texts, owned, there = [], True, True
    for k in sorted({row.key.k for row in collection.rows if row.key.head == FITTED}, reverse=True):
        rows = [row for row in collection.rows if row.key.k == k and row.stored <= MOST]
        front = [row for row in pareto_front(rows, collection.name, MEASURE) if row.stored >= FEWEST]
        texts.append(f"k = {k}: {'; '.join(_title(row) for row in front) or 'none: truncation is better'}")
        owned &= bool(front) and all(map(_is_fitted, front))
        there &= any(map(_is_fitted, front))
    return ["<br>".join(texts), "yes" if owned else "on it beside others" if there else "no"]


def _title(row: Row) -> str:
    return f"{row.key.head} {row.key.objective}".strip() + f" ({row.stored:,})"


def _is_fitted(row: Row) -> bool:
    return any(word in row.key.head for word in ("treelet", "mixing", "angles"))


def _against(collection: Collection, baseline: str, head: str) -> list[Comparison]:
    return [c for c in collection.comparisons if c.baseline.head == baseline and c.head.head == head]


def _tested(comparisons: Sequence[Comparison]) -> str:
    """Differences with p values, corrected over the comparisons of this goal alone."""
    corrected = holm([c.p for c in comparisons])
    pairs = zip(comparisons, corrected, strict=True)
    return ", ".join(f"k = {c.head.k}: {c.difference:+.4f} (p = {p:.3f})" for c, p in pairs)


def _above(comparisons: Sequence[Comparison]) -> bool:
    corrected = holm([c.p for c in comparisons])
    return all(c.difference > 0 and p < ALPHA for c, p in zip(comparisons, corrected, strict=True))


def _yes(met: bool) -> str:
    return "yes" if met else "no"


def lend_datasets() -> None:
    """Let ir_datasets find Cranfield beside the checkout, in a copy that it may write to."""
    if "IR_DATASETS_HOME" not in os.environ:
        home = ROOT / ".cache" / "ir_datasets"
        if not home.is_dir():
            partial = home.with_name(home.name + ".partial")
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(SHARED / "ir_datasets_home" / "cranfield", partial / "cranfield", copy_function=shutil.copy)
            for path in (partial, *partial.rglob("*")):
                path.chmod(path.stat().st_mode | stat.S_IWUSR)
            partial.rename(home)
        os.environ["IR_DATASETS_HOME"] = str(home)


if __name__ == "__main__":
    main()
