"""Figures of an experiment, made without pyplot's global state, from plain numbers that a caller has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hybrid_qproj._util.extras import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKERS = "osD^v<>PX*"


@dataclass(frozen=True)
class Point:
    """How good a head is by one measure.

    Args:
        head: its name.
        k: its size.
        objective: by which it was trained; "" where nothing is trained.
        queries: training queries, a number or a share; None where no labels are used.
        stored: numbers it needs at inference.
        mean: of the measure, over seeds.
        sd: standard deviation over seeds; None with one seed.
        level: whether it is what the others are held against, drawn as a line: the embedding that is not compressed.
        front: whether no other head of its size is as good with as few numbers or fewer.
        size: its size in words.
    """

    head: str
    k: int
    objective: str
    queries: float | None
    stored: int
    mean: float
    sd: float | None
    level: bool = False
    front: bool = False
    size: str = ""


@dataclass(frozen=True)
class Distribution:
    """How a head's similarities are distributed.

    Args:
        title: of its panel.
        kind: of similarity.
        edges: of the bins, one more than there are bins.
        counts: kind of pairs -> how many lie in each bin.
    """

    title: str
    kind: str
    edges: Sequence[float]
    counts: Mapping[str, Sequence[float]]


def quality_against_parameters(points: Sequence[Point], label: str) -> Figure:
    """A measure against the numbers a head stores, one panel a size, one point a head and objective.

    Args:
        points: of one number of training queries and of trained layers.
        label: measure and test.

    Returns:
        the figure. Bars are standard deviations over seeds; a line is the Pareto front of all heads.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    levels, heads = [p for p in points if p.level], [p for p in points if not p.level]
    sizes = sorted({point.k for point in heads}, reverse=True)
    names = list(dict.fromkeys((point.head, point.objective) for point in heads))
    figure, panels = _panels(len(sizes), 3.0)
    for k, axes in zip(sizes, panels, strict=True):
        mine = [point for point in heads if point.k == k]
        for level in levels:
            axes.axhline(level.mean, color="0.5", linestyle="--", linewidth=1, label=level.head)
        for point in mine:
            number = names.index((point.head, point.objective))
            axes.errorbar(
                point.stored,
                point.mean,
                yerr=point.sd or 0.0,
                fmt=MARKERS[number % len(MARKERS)],
                **_style(number, names[number]),
            )
        front = sorted((point for point in mine if point.front), key=lambda point: point.stored)
        axes.step(
            [point.stored for point in front],
            [point.mean for point in front],
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
        axes.set_title(next(point.size for point in mine) or f"k = {k}")
        axes.grid(visible=True, linewidth=0.3)
    panels[0].set_ylabel(label)
    _legend(figure, panels)
    return figure


def quality_against_bytes(points: Sequence[Point], label: str) -> Figure:
    """A measure against the bytes of a document, a line a head and objective.

    Args:
        points: whose sizes are bytes, of one number of training queries and of trained layers.
        label: measure and test.

    Returns:
        the figure. Bars are standard deviations over seeds.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure, (axes,) = _panels(1, 6.0)
    for level in (point for point in points if point.level):
        axes.axhline(level.mean, color="0.5", linestyle="--", linewidth=1, label=f"{level.head} ({level.size})")
    names = list(dict.fromkeys((point.head, point.objective) for point in points if not point.level))
    for number, name in enumerate(names):
        mine = sorted((p for p in points if not p.level and (p.head, p.objective) == name), key=lambda point: point.k)
        axes.errorbar(
            [point.k for point in mine],
            [point.mean for point in mine],
            yerr=[point.sd or 0.0 for point in mine],
            fmt=f"{MARKERS[number % len(MARKERS)]}-",
            linewidth=1,
            **_style(number, name),
        )
    sizes = sorted({point.k for point in points if not point.level})
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("bytes of a document")
    axes.set_ylabel(label)
    axes.grid(visible=True, linewidth=0.3)
    _legend(figure, [axes])
    return figure


def _style(number: int, name: tuple[str, str]) -> dict[str, Any]:
    """How bars of a head and objective look; markers that come again are hollow."""
    return {
        "color": f"C{number % 10}",
        "fillstyle": "full" if number < len(MARKERS) else "none",
        "capsize": 2,
        "label": " ".join(filter(None, name)),
    }


def learning_curves(points: Sequence[Point], label: str) -> Figure:
    """A measure against the number (or share) of training queries, a panel a size and objective, a line a head.

    Args:
        points: those without labels are drawn as horizontal lines.
        label: measure and test.

    Returns:
        the figure; bands are one standard deviation over seeds to either side.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    learnt = [point for point in points if point.queries is not None]
    untrained = [point for point in points if point.queries is None and not point.objective]
    groups = list(dict.fromkeys((point.k, point.objective) for point in learnt))
    heads = list(dict.fromkeys(point.head for point in learnt))
    figure, panels = _panels(len(groups), 4.0)
    for (k, objective), axes in zip(groups, panels, strict=True):
        for number, head in enumerate(heads):
            mine = [p for p in learnt if (p.head, p.k, p.objective) == (head, k, objective)]
            mine.sort(key=lambda point: float(point.queries or 0))
            amounts = [float(point.queries or 0) for point in mine]
            means = np.array([point.mean for point in mine])
            deviations = np.array([point.sd or 0.0 for point in mine])
            axes.plot(amounts, means, marker=MARKERS[number % len(MARKERS)], color=f"C{number}", label=head)
            axes.fill_between(amounts, means - deviations, means + deviations, color=f"C{number}", alpha=0.15)
        for number, point in enumerate(untrained):
            if point.k == k or point.stored == 0:
                axes.axhline(
                    point.mean,
                    color=str(0.2 + 0.15 * number),
                    linestyle="--",
                    linewidth=1,
                    label=f"{point.head} ({point.k})",
                )
        axes.set_xscale("log")
        axes.set_xlabel("training queries")
        axes.set_title(f"k = {k}, {objective}")
        axes.grid(visible=True, linewidth=0.3)
    panels[0].set_ylabel(label)
    _legend(figure, panels)
    return figure


def similarity_histograms(distributions: Sequence[Distribution], test: str) -> Figure:
    """How the similarities of kinds of pairs are distributed, a panel a head.

    Args:
        distributions: of the heads.
        test: whose pairs they are.

    Returns:
        the figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure, panels = _panels(len(distributions), 2.6)
    for shown, axes in zip(distributions, panels, strict=True):
        for (label, each), style in zip(shown.counts.items(), ("-", "--", ":", "-."), strict=False):
            counts = np.asarray(each)
            axes.stairs(counts / max(counts.sum(), 1), np.array(shown.edges), label=label, linestyle=style)
        axes.set_title(shown.title, fontsize="small")
        axes.set_xlabel(shown.kind)
    panels[0].set_ylabel(f"share of pairs, {test}")
    _legend(figure, panels)
    return figure


def _panels(count: int, width: float) -> tuple[Figure, list]:  # type: ignore[type-arg]  # matplotlib has no types
    figure_module = require("matplotlib.figure", "draw", "plotting")
    figure = figure_module.Figure(figsize=(width * max(count, 1) + 2.4, 3.6), layout="constrained")
    return figure, list(figure.subplots(1, max(count, 1), sharey=True, squeeze=False)[0])


def _legend(figure: Figure, panels: Sequence) -> None:  # type: ignore[type-arg]  # matplotlib has no types
    entries = {
        label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(entries.values(), entries.keys(), loc="outside right center", fontsize="small", frameon=False)
