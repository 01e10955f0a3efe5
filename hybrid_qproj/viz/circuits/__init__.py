"""Pictures of the circuits that run: text, matplotlib, LaTeX, OpenQASM."""

from hybrid_qproj.viz.circuits.errors import DrawingError, DrawingFileError
from hybrid_qproj.viz.circuits.figure import styles, to_figure
from hybrid_qproj.viz.circuits.qasm import to_qasm
from hybrid_qproj.viz.circuits.quantikz import to_quantikz
from hybrid_qproj.viz.circuits.save import save_image, save_picture
from hybrid_qproj.viz.circuits.subjects import Picture, block_picture, group_picture, stage_picture
from hybrid_qproj.viz.circuits.text import to_text

__all__ = [
    "DrawingError",
    "DrawingFileError",
    "Picture",
    "block_picture",
    "group_picture",
    "save_image",
    "save_picture",
    "stage_picture",
    "styles",
    "to_figure",
    "to_qasm",
    "to_quantikz",
    "to_text",
]
