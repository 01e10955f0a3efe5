"""Gates that carry the label they are drawn with, so that PennyLane's drawers show names in place of numbers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pennylane as qml
from pennylane.operation import Operator

from hybrid_qproj.viz.circuits.gates import Slot
from hybrid_qproj.viz.circuits.subjects import Picture, Reprepare
from hybrid_qproj.viz.circuits.symbols import Notation


def arguments(slots: tuple[Slot, ...], notation: Notation) -> list[str]:
    """What stands in a gate's brackets.

    Numbers, and arrays that depend on symbols; matrices and settings of numbers are part of which gate it is.

    Args:
        slots: the gate's numbers.
        notation: of the format.
    """
    shown = []
    for slot in slots:
        if slot.whole is not None:
            shown.append(notation.write(slot.whole))
        elif not slot.shape and (slot.symbols or not slot.setting):
            shown.append(notation.write(slot.entries[0]))
    return shown


def name_of(operation: Operator, slots: tuple[Slot, ...]) -> str:
    """What stands before a gate's brackets; a controlled gate is drawn by the name of the gate it controls.

    Args:
        operation: the gate.
        slots: its numbers. Where a setting depends on a symbol, the name has none of its numbers.
    """
    base = operation.hyperparameters.get("base") if operation.control_wires else None
    shown = base or operation
    if not any(slot.setting and slot.symbols for slot in slots):
        return shown.label()
    kind, inner = type(shown).__name__.removesuffix("Operation"), shown.hyperparameters.get("base")
    return f"{kind}[{inner.label()}]" if isinstance(inner, Operator) else kind


def labelled_tape(picture: Picture, notation: Notation, quote: Callable[[str], str] = str) -> qml.tape.QuantumScript:
    """A picture's circuit with the names of its angles as labels.

    Args:
        picture: the circuit.
        notation: of the format.
        quote: makes of an argument what stands in a label.

    Returns:
        a tape to draw; nothing else should be done with it.
    """
    operations = [_labelled(operation, slots, notation, quote) for operation, slots in picture.gates]
    return qml.tape.QuantumScript(operations, picture.tape.measurements)


def _labelled(
    operation: Operator, slots: tuple[Slot, ...], notation: Notation, quote: Callable[[str], str]
) -> Operator:
    inside = arguments(slots, notation)
    if isinstance(operation, Reprepare) or not inside:
        return operation
    text = f"{name_of(operation, slots)}({', '.join(map(quote, inside))})"

    def label(self: Any, decimals: int | None = None, base_label: str | None = None, cache: Any = None) -> str:
        return text

    base = operation.hyperparameters.get("base") if operation.control_wires else None
    if base is not None:
        found = copy.copy(operation)
        found.hyperparameters["base"] = _with_label(base, label)
        return found
    return _with_label(operation, label)


def _with_label(operation: Operator, label: Callable[..., str]) -> Operator:
    found = copy.copy(operation)
    # Drawers ask the operation itself for its label, and choose how to draw it by its class.
    found.__class__ = type(type(operation).__name__, (type(operation),), {"label": label})
    return found
