"""A picture as a file, of the format its name says."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.drawing.figure import PAPER, to_figure
from hybrid_qproj.drawing.qasm import to_qasm
from hybrid_qproj.drawing.quantikz import to_quantikz
from hybrid_qproj.drawing.subjects import Picture
from hybrid_qproj.drawing.text import to_text
from hybrid_qproj.figures import image_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

IMAGES = ("svg", "pdf", "png", "eps")
SOURCES = ("tex", "qasm", "txt")
DPI = 300


def save_picture(
    picture: Picture, path: Path, style: str = PAPER, standalone: bool = False, qasm_version: int = 3
) -> None:
    """Write a circuit's drawing, whole or not at all.

    Args:
        picture: the circuit.
        path: its suffix says the format: svg, pdf, png, eps, tex (quantikz), qasm or txt.
        style: of images.
        standalone: whether tex is a whole document.
        qasm_version: 2 or 3.

    Raises:
        ValueError: the format or style is not known, or the circuit has no such form.
        OSError: the file cannot be written.
    """
    suffix = _format(path, (*IMAGES, *SOURCES))
    if suffix == "tex":
        content = to_quantikz(picture, standalone).encode()
    elif suffix == "qasm":
        content = to_qasm(picture, qasm_version).encode()
    elif suffix == "txt":
        content = f"{to_text(picture)}\n".encode()
    else:
        content = image_bytes(to_figure(picture, style), suffix, DPI, tight=True)
    write_atomically(path, content)


def save_image(figure: Figure, path: Path) -> None:
    """Write a figure as svg, pdf, png or eps.

    Raises:
        ValueError: another format.
        OSError: the file cannot be written.
    """
    write_atomically(path, image_bytes(figure, _format(path, IMAGES), DPI, tight=True))


def _format(path: Path, known: tuple[str, ...]) -> str:
    suffix = path.suffix.removeprefix(".").lower()
    if suffix not in known:
        near = difflib.get_close_matches(suffix, known, n=1)
        hint = f"; did you mean .{near[0]}?" if near else ""
        raise ValueError(f"{path}: expected one of .{', .'.join(known)}{hint}")
    return suffix
