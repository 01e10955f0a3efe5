"""Axes to draw into: those that a caller gives, or a figure of our own, outside pyplot's global list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hybrid_qproj._util.extras import require
from hybrid_qproj.errors import HybridQprojError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

THREE_D = "3d"
"""Matplotlib's name of the projection of spheres and surfaces."""


class PlotError(HybridQprojError, ValueError):
    """Something that cannot be plotted, or not into the axes given."""


def panels(
    axes: Axes | Sequence[Axes] | None, count: int, size: tuple[float, float], projection: str | None = None
) -> tuple[Figure, list[Any]]:
    """Where to draw.

    Args:
        axes: given by a caller, one a panel; None for a figure of our own.
        count: panels side by side.
        size: width and height of a panel of our own, in inches.
        projection: None or `THREE_D`.

    Returns:
        the figure and its axes.

    Raises:
        PlotError: another number of axes, or axes of another projection.
        MissingExtraError: matplotlib is not installed.
    """
    if axes is None:
        figure = require("matplotlib.figure", "draw", "plots").Figure(
            figsize=(count * size[0], size[1]), layout="constrained"
        )
        keywords = {"projection": projection} if projection else {}
        return figure, [figure.add_subplot(1, count, number + 1, **keywords) for number in range(count)]
    given = list(np.atleast_1d(np.asarray(axes, dtype=object)))
    if len(given) != count:
        raise PlotError(f"got {len(given)} axes; this picture has {count} panel{'s' * (count > 1)}")
    if projection and any(one.name != projection for one in given):
        raise PlotError(f"this picture needs axes of projection {projection!r}: subplot_kw={{'projection': '3d'}}")
    return given[0].figure, given
