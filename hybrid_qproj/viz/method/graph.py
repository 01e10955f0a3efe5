"""Merges as a graph: a dot a block, where the lines of its two qubits meet."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from hybrid_qproj.plan import Plan
from hybrid_qproj.viz.method.canvas import panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEGIBLE = 64
"""Features beyond which labels go."""

APART = 0.15
"""Rows between two dots of a stage, at least."""


def draw_graph(plan: Plan, outputs: Sequence[int] | None = None, axes: Axes | None = None) -> Figure:
    """See `hybrid_qproj.viz.method.merge_graph`.

    Args:
        plan: the plan.
        outputs: which outputs, from 0; all when None.
        axes: to draw into.

    Returns:
        the figure.

    Raises:
        PlanError: there is no such output.
        MissingExtraError: matplotlib is not installed.
    """
    chosen = range(len(plan.output)) if outputs is None else outputs
    ancestry = plan.ancestry(chosen)
    rows = {feature: row for row, feature in enumerate(ancestry.features)}
    figure, (panel,) = panels(axes, 1, (1.3 * (len(plan.stages) + 2), max(2.0, 0.16 * len(rows) + 0.8)))
    places = {feature: (0.0, float(row)) for feature, row in rows.items()}
    for number, group in groupby(ancestry.blocks, key=itemgetter(0)):
        before, taken = dict(places), list[float]()
        for _, block in group:
            control, kept = (before[qubit] for qubit in plan.stages[number].pairs[block])
            place = (number + 1.0, _free(control[1], kept[1], taken))
            taken.append(place[1])
            panel.plot(*zip(kept, place, strict=True), color="C0", linewidth=1, zorder=1)
            panel.plot(*zip(control, place, strict=True), color="C1", linewidth=1, linestyle="--", zorder=1)
            panel.plot(*place, "o", color="0.2", markersize=3.5, zorder=2)
            places[plan.stages[number].kept[block]] = place
    right = len(plan.stages) + 0.6
    for output in chosen:
        place = places[plan.output[output]]
        panel.plot([place[0], right], [place[1], place[1]], color="C0", linewidth=1, zorder=1)
        if len(rows) <= LEGIBLE:
            panel.text(right + 0.08, place[1], rf"$\theta'_{{{output + 1}}}$", ha="left", va="center", fontsize=8)
    if len(rows) <= LEGIBLE:
        for feature, row in rows.items():
            panel.text(-0.08, row, f"$x_{{{feature + 1}}}$", ha="right", va="center", fontsize=8)
    for number, stage in enumerate(plan.stages, start=1):
        panel.text(number, -1.2, f"stage {number}\n{len(stage)} blocks", ha="center", va="bottom", fontsize=7)
    panel.set_xlim(-0.5, right + 0.6)
    panel.set_ylim(len(rows) - 0.5, -3.2)
    panel.set_axis_off()
    return figure


def _free(control: float, kept: float, taken: Sequence[float]) -> float:
    """Where between its qubits a block's dot stands apart from the stage's others: two that mix have one middle."""
    rows = [control + (kept - control) * part for part in (0.5, 0.7, 0.3, 0.85, 0.15, 1.0)]
    rows += [max(taken, default=0.0) + APART]
    return next((row for row in rows if all(abs(row - other) >= APART for other in taken)), rows[-1])
