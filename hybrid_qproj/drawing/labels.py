"""Gates that carry the label they are drawn with, so that PennyLane's drawers show names in place of numbers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pennylane as qml
from pennylane.operation import Operator

from hybrid_qproj.drawing.subjects import Picture, Reprepare


def labelled_tape(picture: Picture, name: Callable[[float], str]) -> qml.tape.QuantumScript:
    """A picture's circuit with the names of its angles as labels.

    Args:
        picture: the circuit.
        name: gives an angle's label: ``picture.symbols.text`` or ``picture.symbols.latex``.

    Returns:
        a tape to draw; nothing else should be done with it.
    """
    operations = [_labelled(operation, name) for operation in picture.operations]
    return qml.tape.QuantumScript(operations, picture.tape.measurements)


def _labelled(operation: Operator, name: Callable[[float], str]) -> Operator:
    values = [float(value) for value in operation.parameters if not getattr(value, "shape", ())]
    if isinstance(operation, Reprepare) or not values:
        return operation
    # A controlled gate is drawn with the label of the gate it controls.
    base = operation.hyperparameters.get("base") if operation.control_wires else None
    text = f"{(base or operation).label()}({', '.join(map(name, values))})"

    def label(self: Any, decimals: int | None = None, base_label: str | None = None, cache: Any = None) -> str:
        return text

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
