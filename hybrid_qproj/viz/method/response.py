"""What a block does with its two inputs: the polynomial of its response tensor, as a heat map or a surface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from hybrid_qproj.blocks.response import contract, probe_angles
from hybrid_qproj.viz.method.canvas import THREE_D, PlotError, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STEPS = 121
"""Angles a side."""


def response_map(response: Tensor, axes: Axes | None = None) -> Figure:
    """Draw z(a, b) as a heat map, with the nine probes that determine it.

    Args:
        response: a block's response tensor, (3, 3), such as ``head.responses()[0][0]``.
        axes: to draw into.

    Returns:
        the figure.

    Raises:
        PlotError: not one response tensor.
        MissingExtraError: matplotlib is not installed.
    """
    angles, values = _grid(response)
    figure, (panel,) = panels(axes, 1, (4.2, 3.4))
    image = panel.pcolormesh(angles, angles, values, cmap="RdBu_r", vmin=-1, vmax=1, shading="nearest", rasterized=True)
    # The trine, from -pi to pi.
    probes = (torch.remainder(probe_angles(response.double()) + torch.pi, 2 * torch.pi) - torch.pi).cpu().numpy()
    panel.plot(probes[:, 0], probes[:, 1], "k+", markersize=7, label="nine probes")
    _angle_ticks(panel.xaxis, panel.yaxis)
    panel.set_xlabel("$a$, control")
    panel.set_ylabel("$b$, kept qubit")
    panel.set_aspect("equal")
    panel.legend(loc="upper right", fontsize=7)
    figure.colorbar(image, ax=panel, label=r"$z = \langle Z\rangle$")
    return figure


def response_surface(response: Tensor, axes: Axes | None = None) -> Figure:
    """Draw z(a, b) as a surface.

    Args:
        response: a block's response tensor, (3, 3).
        axes: to draw into, of projection "3d".

    Returns:
        the figure.

    Raises:
        PlotError: not one response tensor, or axes without the third dimension.
        MissingExtraError: matplotlib is not installed.
    """
    angles, values = _grid(response)
    figure, (panel,) = panels(axes, 1, (4.2, 3.6), THREE_D)
    a, b = np.meshgrid(angles, angles)
    panel.plot_surface(a, b, values, cmap="RdBu_r", vmin=-1, vmax=1, linewidth=0)
    _angle_ticks(panel.xaxis, panel.yaxis)
    panel.set_xlabel("$a$, control", labelpad=6)
    panel.set_ylabel("$b$, kept qubit", labelpad=6)
    panel.set_zlabel(r"$\langle Z\rangle$", labelpad=2)
    panel.set_zlim(-1, 1)
    panel.set_zticks([-1, 0, 1])
    # Constrained layout knows no z label; without room it would be cut.
    panel.set_box_aspect(None, zoom=0.8)
    return figure


def _grid(response: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Angles, and z with the control's angle along the columns."""
    if response.shape != (3, 3):
        raise PlotError(f"got a tensor of shape {tuple(response.shape)}; expected one response tensor, (3, 3)")
    angles = torch.linspace(-torch.pi, torch.pi, STEPS, dtype=torch.float64)
    a, b = torch.meshgrid(angles, angles, indexing="xy")
    pairs = [(angle.flatten()[:, None].cos(), angle.flatten()[:, None].sin()) for angle in (a, b)]
    values = contract(response.detach().double().cpu()[None], *pairs)
    return angles.numpy(), values.reshape(STEPS, STEPS).numpy()


def _angle_ticks(*axes: Any) -> None:
    for axis in axes:
        axis.set_ticks([-torch.pi, -torch.pi / 2, 0, torch.pi / 2, torch.pi])
        axis.set_ticklabels([r"$-\pi$", r"$-\pi/2$", "0", r"$\pi/2$", r"$\pi$"])
