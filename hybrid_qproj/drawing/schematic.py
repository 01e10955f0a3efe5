"""A whole head as a schematic: features on the left, stages of blocks, outputs on the right, with ellipses."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hybrid_qproj.drawing.figure import PAPER, check_style, drawing_settings
from hybrid_qproj.extras import require
from hybrid_qproj.plan import Plan

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMN_INCHES = 3.4
"""Width of a column of a two-column paper."""

SHOWN = 3
"""Features of each segment that are drawn: the first two and the last."""

SPREAD = 0.2


def head_figure(plan: Plan, circuit: str, style: str = PAPER) -> Figure:
    """Draw which features merge into which outputs, a column a stage.

    Args:
        plan: the head's plan.
        circuit: name of the ansatz, for the caption.
        style: only ``"paper"`` and PennyLane's names are taken; a schematic is black on white in all of them.

    Returns:
        a figure of one column's width.

    Raises:
        ValueError: the style is not known.
        MissingExtraError: matplotlib is not installed.
    """
    check_style(style)
    figure_module = require("matplotlib.figure", "draw", "drawing")
    outputs = _some(len(plan.output))
    with drawing_settings(PAPER):
        rows = {feature: row for row, feature in enumerate(_features(plan, outputs))}
        height = 0.16 * len(rows) + 0.9
        figure = figure_module.Figure(figsize=(COLUMN_INCHES, height), layout="constrained")
        axes = figure.subplots()
        right = len(plan.stages) + 1.0
        for feature, row in rows.items():
            axes.text(-0.12, -row, f"$x_{{{feature + 1}}}$", ha="right", va="center", fontsize=6)
        ends = dict.fromkeys(rows, right)
        for number, stage in enumerate(plan.stages):
            drawn = [(c, b) for c, b in zip(stage.control, stage.kept, strict=True) if c in rows and b in rows]
            for count, (control, kept) in enumerate(drawn):
                # Side by side, or the lines of a stage's blocks would lie on one another.
                x = number + 1.0 + SPREAD * (count % SHOWN - (SHOWN - 1) / 2)
                axes.plot([x, x], [-rows[control], -rows[kept]], color="black", linewidth=0.6)
                axes.plot(x, -rows[control], "o", color="black", markersize=2.5)
                axes.plot(x, -rows[kept], "s", color="white", markeredgecolor="black", markersize=4.5)
                ends[control] = x
            axes.text(
                number + 1.0, 0.9, f"stage {number + 1}\n{len(stage)} blocks", ha="center", va="bottom", fontsize=5.5
            )
        for feature, row in rows.items():
            axes.plot([0, ends[feature]], [-row, -row], color="black", linewidth=0.6, zorder=0)
        for feature in plan.output:
            if feature in rows:
                label = rf"$\theta'_{{{plan.output.index(feature) + 1}}}$"
                axes.text(right + 0.12, -rows[feature], label, ha="left", va="center", fontsize=6)
        for row in _gaps(list(rows)):
            axes.text(-0.3, -row - 0.5, r"$\vdots$", ha="center", va="center", fontsize=6)
        axes.set_xlim(-0.6, right + 0.6)
        axes.set_ylim(-len(rows), 2.6)
        axes.set_axis_off()
        axes.set_title(
            f"{plan.features} features, {plan.blocks} {circuit} blocks, {len(plan.output)} outputs", fontsize=7
        )
    return figure


def _some(count: int) -> list[int]:
    """The first two and the last of so many."""
    return sorted({*range(min(SHOWN - 1, count)), count - 1})


def _features(plan: Plan, outputs: list[int]) -> list[int]:
    """Features that merge into some outputs, in order."""
    needed = {plan.output[output] for output in outputs}
    for stage in reversed(plan.stages):
        needed |= {c for c, b in zip(stage.control, stage.kept, strict=True) if b in needed}
    return sorted(needed)


def _gaps(features: list[int]) -> list[int]:
    """Rows after which features are left out."""
    return [row for row, (a, b) in enumerate(pairwise(features)) if b > a + 1]
