"""A picture as a file, of the format its name says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid_qproj._util.files import write_atomically
from hybrid_qproj._util.suggest import suggestion
from hybrid_qproj.viz.circuits.errors import DrawingError, DrawingFileError
from hybrid_qproj.viz.circuits.figure import PAPER, to_figure
from hybrid_qproj.viz.circuits.qasm import to_qasm
from hybrid_qproj.viz.circuits.quantikz import to_quantikz
from hybrid_qproj.viz.circuits.subjects import Picture
from hybrid_qproj.viz.circuits.text import to_text
from hybrid_qproj.viz.image import image_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

IMAGES = ("svg", "pdf", "png", "eps")
SOURCES = ("tex", "qasm", "txt")
DPI = 300


def save_picture(
    picture: Picture,
    path: Path,
    style: str = PAPER,
    standalone: bool = False,
    qasm_version: int = 3,
    values: Mapping[str, float] | None = None,
) -> None:
    """Write a circuit's drawing, whole or not at all.

    Args:
        picture: the circuit.
        path: its suffix says the format: svg, pdf, png, eps, tex (quantikz), qasm or txt.
        style: of images.
        standalone: whether tex is a whole document.
        qasm_version: 2 or 3.
        values: numbers for symbols in OpenQASM, see `to_qasm`.

    Raises:
        DrawingError: the format or style is not known, or the circuit has no such form.
        DrawingFileError: the file cannot be written.
    """
    suffix = format_of(path, (*IMAGES, *SOURCES))
    check_place(path)
    if suffix == "tex":
        content = to_quantikz(picture, standalone).encode()
    elif suffix == "qasm":
        content = to_qasm(picture, qasm_version, values).encode()
    elif suffix == "txt":
        content = f"{to_text(picture)}\n".encode()
    else:
        content = image_bytes(to_figure(picture, style), suffix, DPI, tight=True)
    _write(path, content)


def save_image(figure: Figure, path: Path) -> None:
    """Write a figure as svg, pdf, png or eps.

    Raises:
        DrawingError: another format.
        DrawingFileError: the file cannot be written.
    """
    suffix = format_of(path, IMAGES)
    check_place(path)
    _write(path, image_bytes(figure, suffix, DPI, tight=True))


def check_place(path: Path) -> None:
    """See before anything is drawn that a file has a folder to go to.

    Args:
        path: of the file.

    Raises:
        DrawingFileError: there is no such folder, or something else has the file's name.
    """
    if not path.parent.is_dir():
        what = "Not a directory" if path.parent.exists() else "No such file or directory"
        raise DrawingFileError(f"cannot write {path}: {what}: {str(path.parent)!r}; make that folder first")
    if path.is_dir():
        raise DrawingFileError(f"cannot write {path}: it is a folder; name a file")


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        # The error names the temporary file.
        raise DrawingFileError(f"cannot write {path}: {error.strerror or type(error).__name__}") from error


def format_of(path: Path, known: tuple[str, ...]) -> str:
    """The format that a file's suffix names.

    Args:
        path: of the file.
        known: formats.

    Raises:
        DrawingError: another one.
    """
    suffix = path.suffix.removeprefix(".").lower()
    if suffix not in known:
        endings = [f".{each}" for each in known]
        raise DrawingError(f"{path}: expected one of {', '.join(endings)}{suggestion(f'.{suffix}', endings)}")
    return suffix
