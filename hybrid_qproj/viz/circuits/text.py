"""Circuits as text for a terminal, by PennyLane's drawer."""

from __future__ import annotations

import re

from pennylane.drawer.tape_text import tape_text

from hybrid_qproj.viz.circuits.labels import labelled_tape
from hybrid_qproj.viz.circuits.subjects import Picture


def to_text(picture: Picture, width: int = 120) -> str:
    """Draw a circuit.

    Args:
        picture: the circuit.
        width: longest line; a longer circuit goes on below.

    Returns:
        lines of a wire each.
    """
    tape = labelled_tape(picture, picture.symbols.text)
    longest = max(map(len, picture.wires))
    drawn = tape_text(
        tape,
        wire_order=range(len(picture.wires)),
        show_all_wires=True,
        max_length=max(width - longest, 20),
        show_matrices=False,
    )
    # The drawer numbers the wires.
    return re.sub(r"^(\s*)(\d+): ", lambda m: f"{picture.wires[int(m[2])]:>{longest}}: ", drawn, flags=re.MULTILINE)
