"""The results of docs/results.md: runs the experiments of examples/trec-dl and writes their tables and figures.

Needs the data that lie beside a checkout of the developers (../shared/data); says so where they are missing. Every
experiment goes on where it was interrupted; finished ones are only reported again. Names choose some of them:
python benchmarks/trec_dl.py main few-shot
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np

from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.cli.run.compare import run_compare
from hybrid_qproj.experiments.comparisons import compare
from hybrid_qproj.experiments.config import load_config
from hybrid_qproj.experiments.data import read_tests
from hybrid_qproj.experiments.tables import comparisons_to_markdown, markdown, rows_to_markdown, sizes_to_markdown
from hybrid_qproj.retrieval.measures import evaluate_run
from hybrid_qproj.retrieval.trec import read_run

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "examples" / "trec-dl"
TABLES = ROOT / "docs" / "results"
IMAGES = ROOT / "docs" / "images"
MEASURE = "NDCG@10"
EXPERIMENTS = ("main", "few-shot", "ablation", "fine-tune")
FIGURES = {"main": "quality-1.svg", "few-shot": "curves-2.svg"}


def main() -> None:
    if not (ROOT.parent / "shared" / "data").is_dir():
        sys.exit("../shared/data is not beside this checkout: the TREC results cannot be made here")
    TABLES.mkdir(parents=True, exist_ok=True)
    bm25()
    for name in sys.argv[1:] or EXPERIMENTS:
        path, out = CONFIGS / f"{name}.toml", ROOT / "results" / f"trec-dl-{name}"
        config = load_config(path)
        rows = run_compare(path, out)
        for number, pool in enumerate(config.pools, start=1):
            comparisons = [c for baseline in config.baselines for c in compare(rows, baseline, pool, MEASURE)]
            if len(config.sizes) > 1:
                table = sizes_to_markdown(rows, comparisons, pool, MEASURE)
            else:
                table = rows_to_markdown([row for row in rows if row.key.queries in (None, 1, 5, 50, 1.0)], MEASURE)
            write_atomically(TABLES / f"{name}-{number}.md", table.encode())
            wanted = [c for c in comparisons if name == "few-shot" and c.head.head in ("u_cu tree", "rotor tree")]
            if wanted:
                write_atomically(TABLES / f"{name}-tests-{number}.md", comparisons_to_markdown(wanted).encode())
        if name in FIGURES:
            shutil.copy(out / FIGURES[name], IMAGES / f"trec-dl-{name}-{FIGURES[name]}")


def bm25() -> None:
    """The first stage itself, as a check of the evaluation."""
    config = load_config(CONFIGS / "main.toml")
    lines = []
    for source, test in zip(config.test, read_tests(config), strict=True):
        if source.run is not None:
            values = evaluate_run(test.qrels, read_run(source.run), config.measures, test.relevant)
            means = [f"{np.mean(list(values[measure].values())):.4f}" for measure in config.measures]
            lines.append([test.name, str(len(test.queries)), *means])
    write_atomically(TABLES / "bm25.md", markdown(["BM25 top-100", "queries", *config.measures], lines).encode())


if __name__ == "__main__":
    main()
