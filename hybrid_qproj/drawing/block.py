"""The circuit of a block as a matplotlib figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pennylane as qml
import torch

from hybrid_qproj.circuits import Ansatz, get
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.extras import require
from hybrid_qproj.qnodes import BlockExecutor

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_block(circuit: str | Ansatz = "u_cu", style: str = "black_white") -> Figure:
    """Draw a block: encoding, ansatz, readout, from the same QNode that runs.

    Args:
        circuit: name of an ansatz, ``"package.module:name"``, or an `Ansatz`.
        style: one of PennyLane's drawing styles.

    Returns:
        the figure; global matplotlib settings stay as they were.

    Raises:
        AnsatzError: the ansatz is not known.
        ValueError: the style is not known.
        MissingExtraError: matplotlib is not installed.
    """
    require("matplotlib", "draw", "drawing")
    styles = sorted(qml.drawer.available_styles())
    if style not in styles:
        raise ValueError(f"style={style!r}: expected one of {', '.join(styles)}")
    ansatz = get(circuit)
    qnode = BlockExecutor(ansatz, DeviceSpec("default.qubit")).qnode()
    # One representative sample: a batch would be drawn as matrices.
    inputs, weights = torch.zeros(2), torch.zeros(ansatz.parameters)
    wires = {0: "control", 1: "kept"} if ansatz.wires == 2 else {}  # noqa: PLR2004 - a plain block has two wires
    figure, axes = qml.draw_mpl(qnode, style=style, level="device")(inputs, weights)
    for text in axes.texts:
        if text.get_text() in map(str, wires):
            text.set_text(wires[int(text.get_text())])
    return figure
