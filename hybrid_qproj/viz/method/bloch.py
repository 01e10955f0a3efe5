"""An embedding's qubits on the Bloch sphere, before and after a stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from hybrid_qproj.heads.circuit import CircuitHead
from hybrid_qproj.viz.method.canvas import THREE_D, PlotError, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def bloch_spheres(
    head: CircuitHead,
    embedding: Tensor,
    stage: int = 0,
    blocks: Sequence[int] = (0, 1, 2),
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Draw the qubits of some blocks before a stage (left) and what the blocks hand on (right).

    Args:
        head: the head.
        embedding: (d,), floating point.
        stage: which stage, from 0.
        blocks: which of its blocks, a colour each. Control qubits are dashed; they end at the block.
        axes: two of projection "3d".

    Returns:
        the figure.

    Raises:
        PlotError: no single embedding of the head's width, no such stage or block, or axes that do not fit.
        MissingExtraError: matplotlib is not installed.
    """
    if embedding.dim() != 1:
        raise PlotError(f"got an embedding of shape {tuple(embedding.shape)}; expected ({head.in_features},)")
    stages = head.plan.stages
    if not 0 <= stage < len(stages):
        raise PlotError(f"stage={stage}: the plan has stages 0 to {len(stages) - 1}")
    chosen = stages[stage]
    if wrong := [block for block in blocks if not 0 <= block < len(chosen)]:
        raise PlotError(f"block {wrong[0]}: stage {stage} has blocks 0 to {len(chosen) - 1}")
    figure, (left, right) = panels(axes, 2, (3.2, 3.4), THREE_D)
    states = head.bloch_vectors(embedding)
    before, after = (states[stage + moment].double().cpu().numpy() for moment in (0, 1))
    for sphere, title in ((left, f"before stage {stage + 1}"), (right, f"after stage {stage + 1}")):
        _sphere(sphere)
        sphere.set_title(title)
    written = head.plan.written_before(stage)
    for number, block in enumerate(blocks):
        control, kept = chosen.pairs[block]
        colour = f"C{number % 10}"
        for qubit, line in ((control, "--"), (kept, "-")):
            name = r"\theta'" if qubit in written else r"\theta"
            _arrow(left, before[qubit], colour, line, f"${name}_{{{qubit + 1}}}$")
        _arrow(right, after[kept], colour, "-", rf"$\theta'_{{{kept + 1}}}$")
    return figure


def _sphere(axes: Any) -> None:
    """A sphere with the great circle of real amplitudes, its axes and its poles."""
    turn = np.linspace(0, 2 * np.pi, 73)
    zero = np.zeros_like(turn)
    for x, y, z in ((np.cos(turn), np.sin(turn), zero), (zero, np.cos(turn), np.sin(turn))):
        axes.plot(x, y, z, color="0.8", linewidth=0.6)
    # Real amplitudes stay on this one.
    axes.plot(np.sin(turn), zero, np.cos(turn), color="0.45", linewidth=0.9)
    for end in np.eye(3):
        axes.plot(*np.stack([-end, end]).T, color="0.8", linewidth=0.6)
    for place, text in (((0, 0, 1.2), r"$|0\rangle$"), ((0, 0, -1.2), r"$|1\rangle$"), ((1.2, 0, 0), "$x$")):
        axes.text(*place, text, ha="center", va="center", fontsize=8)
    # Without zoom, half of the panel is left to axes that are switched off.
    axes.set_box_aspect((1, 1, 1), zoom=1.2)
    # A look almost along y, in which the plane of real amplitudes hides nothing.
    axes.view_init(elev=12, azim=-70)
    axes.set_axis_off()


def _arrow(axes: Any, vector: np.ndarray, colour: str, line: str, label: str) -> None:
    axes.plot(*np.stack([np.zeros(3), vector]).T, color=colour, linestyle=line, linewidth=1.5)
    axes.plot(*vector[:, None], marker="o", color=colour, markersize=4, fillstyle="full" if line == "-" else "none")
    axes.text(*(1.18 * vector), label, color=colour, fontsize=8, ha="center", va="center")
