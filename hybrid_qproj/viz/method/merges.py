"""A plan as a picture: features on the left, blocks where they merge, outputs on the right; in one of two styles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hybrid_qproj.plan import Plan
from hybrid_qproj.viz.method.canvas import PlotError
from hybrid_qproj.viz.method.graph import draw_graph
from hybrid_qproj.viz.method.schematic import draw_schematic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLES: dict[str, Callable[[Plan, Sequence[int] | None, Axes | None], Figure]] = {
    "graph": draw_graph,
    "schematic": draw_schematic,
}


def merge_graph(
    plan: Plan,
    outputs: Sequence[int] | None = None,
    axes: Axes | None = None,
    style: str = "graph",
    circuit: str | None = None,
) -> Figure:
    """Draw which features merge into which outputs, a column a stage.

    Args:
        plan: the plan.
        outputs: which outputs, from 0. When None, all in a graph; in a schematic the first two and the last.
        axes: to draw into.
        style: ``"graph"``: all that these outputs are made of, features that merge side by side; a dot a block, solid
            edges from its kept qubit, dashed ones from its control. ``"schematic"``: as circuits are drawn in papers,
            features in their order; a vertical line a block, from its control, a dot, to its kept qubit, a square. It
            shows these outputs and of the rest what a page has room for, and says how much is left out.
        circuit: name of the ansatz, for a title; none when None.

    Returns:
        the figure; global matplotlib settings stay as they were.

    Raises:
        PlanError: there is no such output.
        PlotError: there is no such style, no output is named, or more than a schematic has room for.
        MissingExtraError: matplotlib is not installed.
    """
    if style not in STYLES:
        raise PlotError(f"style={style!r}: expected one of {', '.join(STYLES)}")
    if outputs is not None and not len(outputs):
        raise PlotError(f"outputs={outputs!r} names none; the plan has outputs 0 to {len(plan.output) - 1}")
    figure = STYLES[style](plan, outputs, axes)
    if circuit is not None:
        panel = figure.axes[0] if axes is None else axes
        panel.set_title(
            f"{plan.features} features, {plan.blocks} {circuit} blocks, {len(plan.output)} outputs", fontsize=7
        )
    return figure
