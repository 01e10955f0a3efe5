"""Merges as a schematic for a paper: lines of features, vertical lines of blocks, ellipses for what is left out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from hybrid_qproj._util.extras import require
from hybrid_qproj.plan import Plan
from hybrid_qproj.viz.circuits.figure import PAPER, drawing_settings
from hybrid_qproj.viz.method.canvas import panels
from hybrid_qproj.viz.method.layout import Column, Layout, layout

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN_INCHES, PAGE_INCHES = 3.4, 7.0
"""Widths of a column and of the page of a two-column paper."""

LANE_INCHES, ROW_INCHES = 0.085, 0.16
"""Least width of a column of blocks, and height of a row."""

HEADER_INCHES = 0.42
"""Width of a stage's header; where there is less, headers stand upright."""

EVEN = 36
"""Lanes in all, up to which stages are given equal widths."""

WRITING = 0.6
"""Inches beside the stages, for names of features and outputs."""


def draw_schematic(plan: Plan, outputs: Sequence[int] | None = None, axes: Axes | None = None) -> Figure:
    """See `hybrid_qproj.viz.method.merge_graph`.

    Blocks whose lines would meet stand beside one another. What a page has no room for is left out, and how much that
    is stands in the figure.

    Args:
        plan: the plan.
        outputs: which outputs are shown, from 0; the first two and the last when None.
        axes: to draw into.

    Returns:
        the figure; one of our own has one column's width, or up to a page's where that is too narrow.

    Raises:
        PlanError: there is no such output.
        MissingExtraError: matplotlib is not installed.
    """
    shown = layout(plan, outputs)
    starts, right = _positions(plan, shown)
    if axes is None:
        width = min(max(COLUMN_INCHES, WRITING + LANE_INCHES * right), PAGE_INCHES)
    else:
        width = axes.get_window_extent().width / axes.figure.dpi
    unit = max(width - WRITING, WRITING) / right
    upright = any((column.lanes + 1) * unit < HEADER_INCHES for column in shown.columns)
    top = 4.6 if upright else 2.6
    with drawing_settings(PAPER):
        figure, (panel,) = panels(axes, 1, (width, ROW_INCHES * (len(shown.rows) + top + 4.0)))
        for column in shown.columns:
            _draw_column(panel, plan, column, shown, starts[column.stage], upright)
        _draw_features(panel, plan, shown, starts, right)
        _draw_gaps(panel, plan, shown, starts)
        for line, note in enumerate(_notes(plan, shown)):
            panel.text(right / 2, -len(shown.rows) - 1.2 - 0.7 * line, note, ha="center", va="center", fontsize=5.5)
        panel.set_xlim(-WRITING / 2 / unit, right + WRITING / 2 / unit)
        panel.set_ylim(-len(shown.rows) - 2.4, top)
        panel.set_axis_off()
    return figure


def _notes(plan: Plan, shown: Layout) -> list[str]:
    """What a reader must know of what is drawn."""
    drawn = sum(len(column.blocks) for column in shown.columns)
    notes = [f"{drawn} of {plan.blocks} blocks are drawn; +n: the stage has n more"] if drawn < plan.blocks else []
    if any(column.mixes for column in shown.columns):
        notes.append("shaded: all blocks of the stage read the qubits as they were before it")
    return notes


def _positions(plan: Plan, shown: Layout) -> tuple[dict[int, float], float]:
    """Where the lanes of each stage start, and where all stages end, in lanes; of equal widths where those fit."""
    widest = max((column.lanes for column in shown.columns), default=1)
    even = len(shown.columns) * (widest + 1) <= EVEN
    starts, at = {}, 0.5
    for before, column in zip([None, *shown.columns], shown.columns, strict=False):
        if before is not None and column.stage > before.stage + 1:
            at += 3
        width = widest if even else column.lanes
        starts[column.stage] = at + (width - column.lanes) / 2
        at += width + 1
    return starts, at


def _draw_column(axes: Axes, plan: Plan, column: Column, shown: Layout, start: float, upright: bool) -> None:
    for control, kept, lane in column.blocks:
        x, ends = start + lane + 0.5, (-shown.rows[control], -shown.rows[kept])
        axes.plot([x, x], ends, color="black", linewidth=0.6)
        axes.plot(x, ends[0], "o", color="black", markersize=2.5)
        axes.plot(x, ends[1], "s", color="white", markeredgecolor="black", markersize=4.5)
    if column.mixes:
        axes.axvspan(start, start + column.lanes, color="0.92", linewidth=0, zorder=-1)
    middle, count = start + column.lanes / 2, len(plan.stages[column.stage])
    header = f"stage {column.stage + 1}\n{count} blocks"
    axes.text(middle, 0.9, header, ha="center", va="bottom", fontsize=5.5, rotation=90 if upright else 0)
    if column.left_out:
        axes.text(middle, -len(shown.rows) - 0.2, f"+{column.left_out}", ha="center", va="center", fontsize=5.5)


def _draw_features(axes: Axes, plan: Plan, shown: Layout, starts: dict[int, float], right: float) -> None:
    """Names, and lines as far as a feature is of use, to the last bit of the plan."""
    number = {feature: place for place, feature in enumerate(plan.output)}
    for feature, row in shown.rows.items():
        axes.text(-0.12, -row, f"$x_{{{feature + 1}}}$", ha="right", va="center", fontsize=6)
        end = right if feature in number else _last_use(plan, shown, starts, feature)
        axes.plot([0, end], [-row, -row], color="black", linewidth=0.6, zorder=0)
        if feature in number:
            label = rf"$\theta'_{{{number[feature] + 1}}}$"
            axes.text(right + 0.12, -row, label, ha="left", va="center", fontsize=6)
    left_out = [row for row, (a, b) in enumerate(pairwise(shown.rows)) if b > a + 1]
    if list(shown.rows)[-1] < plan.features - 1:
        left_out.append(len(shown.rows) - 1)
    for row in left_out:
        axes.text(-0.3, -row - 0.5, r"$\vdots$", ha="center", va="center", fontsize=6)


def _last_use(plan: Plan, shown: Layout, starts: dict[int, float], feature: int) -> float:
    """Where a feature that is no output is read for the last time: at a block, or beyond those of its stage shown."""
    used = [number for number, stage in enumerate(plan.stages) if feature in stage.control or feature in stage.kept]
    last = max(used, default=-1)
    column = next((column for column in shown.columns if column.stage == last), None)
    if column is None:
        earlier = [column for column in shown.columns if column.stage < last]
        return starts[earlier[-1].stage] + earlier[-1].lanes + 1 if earlier else 0.0
    lanes = [lane for control, kept, lane in column.blocks if feature in (control, kept)]
    stage = plan.stages[last]
    if len(lanes) < stage.control.count(feature) + stage.kept.count(feature):
        return starts[last] + column.lanes
    return starts[last] + max(lanes) + 0.5


def _draw_gaps(axes: Axes, plan: Plan, shown: Layout, starts: dict[int, float]) -> None:
    """Stages that are left out interrupt all lines."""
    patches = require("matplotlib.patches", "draw", "drawing")
    for before, after in pairwise(shown.columns):
        if after.stage == before.stage + 1:
            continue
        left, right = starts[before.stage] + before.lanes + 0.6, starts[after.stage] - 0.6
        box = patches.Rectangle((left, -len(shown.rows)), right - left, len(shown.rows) + 0.5)
        box.set(facecolor="white", edgecolor="none", zorder=0.5)
        axes.add_patch(box)
        count = sum(map(len, plan.stages[before.stage + 1 : after.stage]))
        note = f"stages {before.stage + 2} to {after.stage} left out: {count} blocks"
        middle = ((left + right) / 2, -(len(shown.rows) - 1) / 2)
        axes.text(*middle, note, ha="center", va="center", fontsize=5.5, rotation=90)
