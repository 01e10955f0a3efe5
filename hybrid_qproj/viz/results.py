"""Figures of an experiment, made without pyplot's global state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hybrid_qproj._util.extras import require
from hybrid_qproj.experiments.records import Histogram, Record
from hybrid_qproj.experiments.summary import Key, Row, pareto_front

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKERS = "osD^v<>PX*"


def quality_against_parameters(rows: Sequence[Row], test: str, measure: str) -> Figure:
    """A measure against the numbers a head stores, one panel a size, one point a head and objective.

    Args:
        rows: the rows, of one number of training queries and of trained layers.
        test: test or pool.
        measure: the measure.

    Returns:
        the figure. Bars are standard deviations over seeds; a line is the Pareto front of all heads.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    full = [row for row in rows if row.stored == 0 and row.key.k == max(r.key.k for r in rows)]
    sizes = sorted({row.key.k for row in rows if row not in full}, reverse=True)
    names = list(dict.fromkeys((row.key.head, row.key.objective) for row in rows if row not in full))
    figure, panels = _panels(len(sizes), 3.0)
    for k, axes in zip(sizes, panels, strict=True):
        for row in full:
            axes.axhline(row.scores[test][measure].mean, color="0.5", linestyle="--", linewidth=1, label=row.key.head)
        for row in rows:
            if row.key.k != k or row in full:
                continue
            number = names.index((row.key.head, row.key.objective))
            score = row.scores[test][measure]
            axes.errorbar(
                row.stored,
                score.mean,
                yerr=score.sd or 0.0,
                fmt=MARKERS[number % len(MARKERS)],
                color=f"C{number % 10}",
                fillstyle="full" if number < len(MARKERS) else "none",
                capsize=2,
                label=" ".join(filter(None, names[number])),
            )
        front = pareto_front([row for row in rows if row.key.k == k and row not in full], test, measure)
        axes.step(
            [row.stored for row in front],
            [row.scores[test][measure].mean for row in front],
            where="post",
            color="0.7",
            linewidth=1,
            zorder=0,
            label="Pareto front",
        )
        # Truncation stores nothing, which a logarithm cannot show.
        axes.set_xscale("symlog", linthresh=100)
        axes.set_xlim(left=-20)
        axes.set_xlabel("numbers stored by the head")
        axes.set_title(f"k = {k}")
        axes.grid(visible=True, linewidth=0.3)
    panels[0].set_ylabel(f"{measure}, {test}")
    _legend(figure, panels)
    return figure


def learning_curves(rows: Sequence[Row], test: str, measure: str) -> Figure:
    """A measure against the number (or share) of training queries, a panel a size and objective, a line a head.

    Args:
        rows: the rows; those without labels are drawn as horizontal lines.
        test: test or pool.
        measure: the measure.

    Returns:
        the figure; bands are one standard deviation over seeds to either side.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    learnt = [row for row in rows if row.key.queries is not None]
    groups = list(dict.fromkeys((row.key.k, row.key.objective) for row in learnt))
    heads = list(dict.fromkeys(row.key.head for row in learnt))
    figure, panels = _panels(len(groups), 4.0)
    for (k, objective), axes in zip(groups, panels, strict=True):
        for number, head in enumerate(heads):
            mine = [r for r in learnt if (r.key.head, r.key.k, r.key.objective) == (head, k, objective)]
            mine.sort(key=lambda row: float(row.key.queries or 0))
            amounts = [float(row.key.queries or 0) for row in mine]
            means = np.array([row.scores[test][measure].mean for row in mine])
            deviations = np.array([row.scores[test][measure].sd or 0.0 for row in mine])
            axes.plot(amounts, means, marker=MARKERS[number % len(MARKERS)], color=f"C{number}", label=head)
            axes.fill_between(amounts, means - deviations, means + deviations, color=f"C{number}", alpha=0.15)
        for number, row in enumerate(r for r in rows if r.key.queries is None and not r.key.objective):
            if row.key.k == k or row.stored == 0:
                axes.axhline(
                    row.scores[test][measure].mean,
                    color=str(0.2 + 0.15 * number),
                    linestyle="--",
                    linewidth=1,
                    label=f"{row.key.head} ({row.key.k})",
                )
        axes.set_xscale("log")
        axes.set_xlabel("training queries")
        axes.set_title(f"k = {k}, {objective}")
        axes.grid(visible=True, linewidth=0.3)
    panels[0].set_ylabel(f"{measure}, {test}")
    _legend(figure, panels)
    return figure


def similarity_histograms(records: Sequence[Record], test: str) -> Figure:
    """How the similarities of relevant and of other pairs are distributed, a panel a head.

    Args:
        records: the records; those of one key are averaged.
        test: the test.

    Returns:
        the figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    groups: dict[Key, list[Histogram]] = {}
    for record in records:
        groups.setdefault(Key.of(record.cell), []).append(record.histograms[test])
    figure, panels = _panels(len(groups), 2.6)
    for (key, histograms), axes in zip(groups.items(), panels, strict=True):
        edges = np.array(histograms[0].edges)
        for label, style in (("relevant", "-"), ("other", "--")):
            counts = np.mean([getattr(histogram, label) for histogram in histograms], axis=0)
            axes.stairs(counts / max(counts.sum(), 1), edges, label=label, linestyle=style)
        axes.set_title(f"{key.head}, k = {key.k}\n{key.objective or 'untrained'}", fontsize="small")
        axes.set_xlabel(histograms[0].kind)
    panels[0].set_ylabel(f"share of pairs, {test}")
    _legend(figure, panels)
    return figure


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


def _panels(count: int, width: float) -> tuple[Figure, list]:  # type: ignore[type-arg]  # matplotlib has no types
    figure_module = require("matplotlib.figure", "draw", "plotting")
    figure = figure_module.Figure(figsize=(width * max(count, 1) + 2.4, 3.6), layout="constrained")
    return figure, list(figure.subplots(1, max(count, 1), sharey=True, squeeze=False)[0])


def _legend(figure: Figure, panels: Sequence) -> None:  # type: ignore[type-arg]  # matplotlib has no types
    entries = {
        label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(entries.values(), entries.keys(), loc="outside right center", fontsize="small", frameon=False)
