"""The demo's table: arithmetic, words, Markdown and plot, on made-up outcomes."""

from __future__ import annotations

import numpy as np
import pytest

for _module in ("matplotlib", "pytrec_eval"):
    pytest.importorskip(_module, reason="needs the extra 'demo'")

from hybrid_qproj.demo.experiment import Cell, Outcome, cells  # noqa: E402
from hybrid_qproj.demo.heads import ENTRIES, QUANTUM  # noqa: E402
from hybrid_qproj.demo.plot import plot_rows  # noqa: E402
from hybrid_qproj.demo.report import markdown_table  # noqa: E402
from hybrid_qproj.demo.table import make_rows, verdicts  # noqa: E402

LEVEL = {"PCA": 0.9, "truncation": 0.3, QUANTUM: 0.6}
QUERIES = 30


@pytest.fixture(scope="module")
def rows():
    noise = np.random.default_rng(0)
    outcomes = [
        Outcome(
            cell,
            {str(q): LEVEL.get(cell.name, 0.6) + 0.02 * noise.normal() for q in range(QUERIES)},
            10,
            20,
        )
        for cell in cells([8, 4], seeds=2)
    ]
    return make_rows(outcomes, {str(q): 0.8 for q in range(QUERIES)}, width=16)


def test_cells():
    """Every head at every size; several seeds only where they matter."""
    todo = cells([8, 4], seeds=3)
    assert todo.count(Cell("truncation", 8, 0)) == 1
    assert Cell("truncation", 8, 1) not in todo
    assert Cell(QUANTUM, 4, 2) in todo
    assert len(todo) == len(set(todo)) == 2 * sum(3 if e.seeded else 1 for e in ENTRIES.values())


def test_rows(rows):
    """The full embedding first, then each head; differences are from the full embedding."""
    assert rows[0].head == "full embedding"
    assert [(r.head, r.k) for r in rows[1:]] == [(name, k) for k in (8, 4) for name in ENTRIES]
    pca = next(r for r in rows if r.head == "PCA" and r.k == 8)
    assert pca.difference == pytest.approx(pca.ndcg - 0.8)
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


def test_plot(rows):
    """A panel a size, every head in the legend, the full embedding as a line."""
    figure = plot_rows(rows)
    assert [axes.get_title() for axes in figure.axes] == ["k = 8", "k = 4"]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert set(ENTRIES) <= set(labels)
    assert any("full embedding" in label for label in labels)
