"""Circuits as matplotlib figures, by PennyLane's drawer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pennylane as qml
from pennylane.drawer.tape_mpl import tape_mpl

from hybrid_qproj._util.extras import require
from hybrid_qproj._util.suggest import suggestion
from hybrid_qproj.viz.circuits.errors import DrawingError
from hybrid_qproj.viz.circuits.labels import labelled_tape
from hybrid_qproj.viz.circuits.names import mathtext, matplotlib_text, wire_label
from hybrid_qproj.viz.circuits.subjects import Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER = "paper"
"""Black on white, in letters that stand well beside LaTeX's Computer Modern."""


def styles() -> list[str]:
    """Names of the styles: ours and PennyLane's."""
    return [PAPER, *sorted(qml.drawer.available_styles())]


def to_figure(picture: Picture, style: str = PAPER) -> Figure:
    """Draw a circuit.

    Args:
        picture: the circuit.
        style: one of `styles`.

    Returns:
        the figure; global matplotlib settings stay as they were.

    Raises:
        DrawingError: the style is not known.
        MissingExtraError: matplotlib is not installed.
    """
    check_style(style)
    # Our own figure: one of pyplot's would stay in its global list.
    empty = require("matplotlib.figure", "draw", "drawing").Figure()
    # PennyLane's drawer measures its texts, for which a figure needs a canvas.
    require("matplotlib.backends.backend_agg", "draw", "drawing").FigureCanvasAgg(empty)
    with drawing_settings(style):
        tape = labelled_tape(picture, picture.symbols.latex, mathtext)
        figure, axes = tape_mpl(
            tape,
            wire_order=range(len(picture.wires)),
            show_all_wires=True,
            style="rcParams" if style == PAPER else style,
            fig=empty,
        )
        # The drawer numbers wires; the texts before the first gate are those numbers.
        for text in axes.texts[: len(picture.wires)]:
            text.set_text(matplotlib_text(wire_label(picture.wires[int(text.get_text())])))
    return figure


def check_style(style: str) -> None:
    """Refuse a style that does not exist.

    Raises:
        DrawingError: with those that do.
    """
    known = styles()
    if style not in known:
        raise DrawingError(f"style={style!r}: expected one of {', '.join(known)}{suggestion(style, known)}")


@contextmanager
def drawing_settings(style: str) -> Iterator[None]:
    """Matplotlib's settings of a style, for as long as something is drawn."""
    mpl = require("matplotlib", "draw", "drawing")
    with mpl.rc_context():
        if style == PAPER:
            mpl.rcParams.update(
                {
                    "font.family": "serif",
                    "mathtext.fontset": "cm",
                    "patch.facecolor": "white",
                    "patch.edgecolor": "black",
                    "patch.linewidth": 1.0,
                    "patch.force_edgecolor": True,
                    "lines.color": "black",
                    "lines.linewidth": 1.0,
                    "text.color": "black",
                    "figure.facecolor": "white",
                    "savefig.facecolor": "white",
                    "path.sketch": None,
                }
            )
        yield
