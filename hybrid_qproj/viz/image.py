"""A matplotlib figure as the bytes of a file, the same for the same figure."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from hybrid_qproj._util.extras import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def image_bytes(
    figure: Figure, suffix: str, dpi: int = 150, tight: bool = False, description: str | None = None
) -> bytes:
    """Render a figure without dates or random names.

    Args:
        figure: the figure.
        suffix: svg, pdf, png or eps.
        dpi: of png, and of what is drawn in pixels elsewhere.
        tight: whether the margin is cut to what is drawn.
        description: of svg, for people who do not see the image and for programs.

    Returns:
        the file's content.
    """
    mpl = require("matplotlib", "draw", "drawing")
    metadata = {"svg": {"Date": None, "Description": description}, "pdf": {"CreationDate": None}}
    content = io.BytesIO()
    # SVG names its clip paths at random, but for a given salt.
    with mpl.rc_context({"svg.hashsalt": "hybrid-qproj"}):
        figure.savefig(
            content, format=suffix, dpi=dpi, bbox_inches="tight" if tight else None, metadata=metadata.get(suffix)
        )
    return content.getvalue()
