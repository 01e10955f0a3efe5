"""The demo's table: arithmetic, words and Markdown, on made-up records."""

from __future__ import annotations

import numpy as np
import pytest

for _module in ("sentence_transformers", "pytrec_eval", "matplotlib"):
    pytest.importorskip(_module, reason="needs the extra 'demo'")

from hybrid_qproj.demo.experiment import FULL, QUANTUM, demo_config, demo_table  # noqa: E402
from hybrid_qproj.demo.report import markdown_table  # noqa: E402
from hybrid_qproj.demo.table import make_rows, verdicts  # noqa: E402
from hybrid_qproj.experiments.cells import cells  # noqa: E402
from hybrid_qproj.experiments.records import Cell, Record  # noqa: E402
from hybrid_qproj.experiments.summary import summarise  # noqa: E402

LEVEL = {FULL: 0.8, "PCA": 0.9, "truncation": 0.3, QUANTUM: 0.6}
QUERIES = 30


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return demo_config(demo_table([4, 8], 2), tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def rows(config):
    noise = np.random.default_rng(0)
    records = [
        Record(
            cell,
            "",
            10,
            20,
            4 * cell.k,
            None,
            {"Lee": {"NDCG@10": {str(q): LEVEL.get(cell.head, 0.6) + 0.02 * noise.normal() for q in range(QUERIES)}}},
            {},
        )
        for cell in cells(config, 16)
    ]
    return make_rows(summarise(records))


def test_cells(config):
    """Every head at every size; several seeds only where they matter."""
    todo = cells(config, 16)
    assert {(c.head, c.k) for c in todo} == {(h, k) for h in config.heads if h != FULL for k in (8, 4)} | {(FULL, 16)}
    once = {FULL, "truncation", "PCA", "quantum rotor treelet (fitted)"}
    assert {c.head for c in todo if c.seed == 1} == set(config.heads) - once
    assert Cell(QUANTUM, 4, "distillation", None, 0, 1) in todo


def test_rows(rows, config):
    """The full embedding first, then each head, the largest size first; differences are from the full embedding."""
    names = [name for name in config.heads if name != FULL]
    assert [(r.head, r.k) for r in rows] == [(FULL, 16), *((name, k) for k in (8, 4) for name in names)]
    pca = next(r for r in rows if r.head == "PCA" and r.k == 8)
    assert pca.difference == pytest.approx(pca.ndcg - rows[0].ndcg)
    assert pca.bytes_per_document == 32
    quantum = next(r for r in rows if r.head == QUANTUM)
    assert quantum.sd > 0
    assert quantum.ndcg == pytest.approx(np.mean(list(quantum.per_query.values())))


def test_verdicts_say_wins_and_losses(rows):
    """A clear loss is called a loss, a clear win a win, and noise neither."""
    first, second = verdicts(rows)
    assert first.startswith("k = 8")
    assert second.startswith("k = 4")
    loses, beats, neither = (first.index(w) for w in ("loses to PCA", "beats truncation", "does not differ"))
    assert min(loses, beats, neither) > 0
    assert "grouped linear" in first[neither:]


def test_markdown(rows):
    """A line a row and two of head; thousands separated; no sd for a single seed."""
    lines = markdown_table(rows).splitlines()
    assert len(lines) == 2 + len(rows)
    assert "| truncation | 8 | 10 | 20 | 32 | 1 |" in lines[3]
    assert len({line.count("|") for line in lines}) == 1
