"""A plan as a graph: features on the left, blocks where they merge, outputs on the right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hybrid_qproj.plan import Plan
from hybrid_qproj.viz.method.canvas import PlotError, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEGIBLE = 64
"""Features beyond which labels go."""


APART = 0.15
"""Rows between two dots of a stage, at least."""


def merge_graph(plan: Plan, outputs: Sequence[int] | None = None, axes: Axes | None = None) -> Figure:
    """Draw which features merge into which outputs, a column a stage.

    Args:
        plan: the plan.
        outputs: which outputs, from 0; all when None.
        axes: to draw into.

    Returns:
        the figure: a dot a block, solid edges from its kept qubit, dashed ones from its control.

    Raises:
        PlotError: there is no such output.
        MissingExtraError: matplotlib is not installed.
    """
    chosen = range(len(plan.output)) if outputs is None else outputs
    if wrong := [output for output in chosen if not 0 <= output < len(plan.output)]:
        raise PlotError(f"output {wrong[0]}: the plan has outputs 0 to {len(plan.output) - 1}")
    shown = _relevant(plan, [plan.output[output] for output in chosen])
    rows = _rows(plan, [plan.output[output] for output in chosen], shown)
    figure, (panel,) = panels(axes, 1, (1.3 * (len(plan.stages) + 2), max(2.0, 0.16 * len(rows) + 0.8)))
    places = {feature: (0.0, float(row)) for feature, row in rows.items()}
    for number, (stage, blocks) in enumerate(zip(plan.stages, shown, strict=True), start=1):
        before, written = dict(places), list[int]()
        for block in blocks:
            control, kept = before[stage.control[block]], before[stage.kept[block]]
            place = (float(number), _free(control[1], kept[1], [places[done][1] for done in written]))
            written.append(stage.kept[block])
            panel.plot(*zip(kept, place, strict=True), color="C0", linewidth=1, zorder=1)
            panel.plot(*zip(control, place, strict=True), color="C1", linewidth=1, linestyle="--", zorder=1)
            panel.plot(*place, "o", color="0.2", markersize=3.5, zorder=2)
            places[stage.kept[block]] = place
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


def _relevant(plan: Plan, qubits: Sequence[int]) -> list[list[int]]:
    """Of each stage, the blocks that some qubits' final values depend on."""
    needed, shown = set(qubits), []
    for stage in reversed(plan.stages):
        mine = [g for g, kept in enumerate(stage.kept) if kept in needed]
        needed |= {stage.control[g] for g in mine}
        shown.append(mine)
    return shown[::-1]


def _rows(plan: Plan, qubits: Sequence[int], shown: Sequence[Sequence[int]]) -> dict[int, int]:
    """A row for each feature, so that those that merge lie side by side."""
    order = {qubit: [qubit] for qubit in range(plan.features)}
    for stage, blocks in zip(plan.stages, shown, strict=True):
        before = dict(order)
        for block in blocks:
            control, kept = stage.control[block], stage.kept[block]
            order[kept] = list(dict.fromkeys([*before[kept], *before[control]]))
    features = dict.fromkeys(feature for qubit in qubits for feature in order[qubit])
    return {feature: row for row, feature in enumerate(features)}
