"""Circuits as LaTeX, for the package quantikz."""

from __future__ import annotations

from collections.abc import Sequence

from pennylane.drawer.drawable_layers import drawable_layers
from pennylane.operation import Operator
from pennylane.ops.mid_measure import MidMeasure

from hybrid_qproj.viz.circuits.gates import Slot
from hybrid_qproj.viz.circuits.labels import arguments, name_of
from hybrid_qproj.viz.circuits.names import latex_name, latex_text, wire_label
from hybrid_qproj.viz.circuits.subjects import Picture, Reprepare

DOCUMENT = r"""\documentclass[border=2pt]{standalone}
\usepackage{tikz}
\IfFileExists{tikzlibraryquantikz2.code.tex}{\usetikzlibrary{quantikz2}}{\usetikzlibrary{quantikz}}
\begin{document}
%s\end{document}
"""

_NAMES = {
    "RX": "R_X", "RY": "R_Y", "RZ": "R_Z", "PhaseShift": "P", "Hadamard": "H", "PauliX": "X", "PauliY": "Y",
    "PauliZ": "Z", "Identity": "I", "IsingZZ": "R_{ZZ}", "IsingXX": "R_{XX}", "IsingYY": "R_{YY}", "Rot": "R",
}  # fmt: skip


def to_quantikz(picture: Picture, standalone: bool = False) -> str:
    """A circuit as LaTeX source.

    Args:
        picture: the circuit.
        standalone: a whole document instead of the environment to paste.

    Returns:
        the source, for TeX Live's quantikz2 and for its predecessor quantikz alike.
    """
    slots = {id(operation): own for operation, own in picture.gates}
    layers = drawable_layers(list(picture.operations), {i: i for i in range(len(picture.wires))})
    rows: list[list[str]] = [[rf"\lstick{{{wire_label(wire)}}}"] for wire in picture.wires]
    for layer in layers:
        cells = [r"\qw"] * len(rows)
        after: list[str] | None = None
        for operation in layer:
            if isinstance(operation, Reprepare):
                after = after or [r"\qw"] * len(rows)
                wire = operation.wires[0]
                cells[wire] = r"\meter{}"
                after[wire] = rf"\gate{{R_Y({latex_name(operation.angle)})}}"
            else:
                own = slots[id(operation)]
                _place(operation, cells, _name(operation, own), arguments(own, picture.symbols.latex))
        _append(rows, cells)
        if after is not None:
            _append(rows, after)
    last = [r"\qw"] * len(rows)
    for wire in picture.read:
        last[wire] = r"\meter{\ensuremath{\langle Z\rangle}}"
    _append(rows, last)
    body = " \\\\\n".join("  " + " & ".join(row) for row in rows)
    source = f"\\begin{{quantikz}}\n{body}\n\\end{{quantikz}}\n"
    return DOCUMENT % source if standalone else source


def _append(rows: list[list[str]], cells: Sequence[str]) -> None:
    for row, cell in zip(rows, cells, strict=True):
        row.append(cell)


def _place(operation: Operator, cells: list[str], text: str, inside: Sequence[str]) -> None:
    """Write a gate into the cells of its column."""
    if isinstance(operation, MidMeasure):
        cells[operation.wires[0]] = r"\meter{}"
        return
    controls = list(operation.control_wires)
    # A global phase has no wire: it may stand on any, and a controlled one is a phase of its last control.
    targets = [wire for wire in operation.wires if wire not in controls] or [controls.pop() if controls else 0]
    values = getattr(operation, "control_values", [True] * len(controls))
    # The dots hang on one vertical line that reaches the first target.
    for control, value in zip(controls, values, strict=False):
        kind = "ctrl" if value else "octrl"
        cells[control] = rf"\{kind}{{{targets[0] - control}}}"
    name = operation.name
    if name in ("CNOT", "Toffoli", "MultiControlledX"):
        cells[targets[0]] = r"\targ{}"
    elif name in ("CZ", "CCZ"):
        cells[targets[0]] = r"\control{}"
    elif name == "SWAP":
        first, second = sorted(targets)
        cells[first], cells[second] = rf"\swap{{{second - first}}}", r"\targX{}"
    else:
        _box(text + (f"({', '.join(inside)})" if inside else ""), sorted(targets), cells)


def _name(operation: Operator, slots: tuple[Slot, ...]) -> str:
    """What stands in a gate's box."""
    if isinstance(operation, MidMeasure):
        return ""
    base = getattr(operation, "base", None)
    name = (base or operation).name.removeprefix("C") if operation.control_wires else operation.name
    if any(slot.setting and slot.symbols for slot in slots):
        name = name_of(operation, slots)
    return _NAMES.get(name, rf"\mathrm{{{latex_text(name)}}}")


def _box(text: str, targets: Sequence[int], cells: list[str]) -> None:
    span = targets[-1] - targets[0] + 1
    if len(targets) == 1:
        cells[targets[0]] = rf"\gate{{{text}}}"
    elif span == len(targets):
        cells[targets[0]] = rf"\gate[{span}]{{{text}}}"
        for wire in targets[1:]:
            cells[wire] = ""
    else:
        # A box on each of its wires, joined by a line: a tall box would swallow the wires between them.
        for above, wire in zip([None, *targets], targets, strict=False):
            cells[wire] = rf"\gate{{{text}}}" + ("" if above is None else rf" \arrow[dash, {'u' * (wire - above)}]")
