"""A gate against what it is decomposed into, by their matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pennylane as qml
from pennylane.operation import Operator

PHASE = "GlobalPhase"

QUBITS_COMPARED = 8
"""Qubits up to which a gate's decomposition is compared with its matrix."""

ROUNDING = 1e-8
"""Difference between a gate and its decomposition that is rounding."""

LOST_DIGITS = 1e-12
"""Difference from which on a decomposition has lost digits."""


def unitary(operation: Operator) -> bool:
    """Whether a gate's matrix is unitary, where it has one."""
    if not operation.has_matrix:
        return True
    matrix = np.asarray(operation.matrix(), dtype=complex)
    return bool(np.allclose(matrix.conj().T @ matrix, np.eye(len(matrix)), rtol=0, atol=1e-9))


def reduced(operation: Operator) -> Operator:
    """A gate whose huge angles are taken to (-2 pi, 2 pi]: sums of halves of huge ones lose all their digits."""
    data = [_modulo(value) if not np.shape(value) and np.isrealobj(value) else value for value in operation.data]
    if all(one is two for one, two in zip(data, operation.data, strict=True)):
        return operation
    return qml.ops.functions.bind_new_parameters(operation, data)


def _modulo(value: float) -> float:
    """The same angle modulo 4 pi, from its sine and cosine, which are right for any size."""
    if abs(value) < 4 * math.pi:
        return value
    return 2 * math.atan2(math.sin(value / 2), math.cos(value / 2))


def agrees(operation: Operator, parts: Sequence[Operator]) -> bool:
    """Whether parts have a gate's matrix, up to a global phase; true where it has none to compare with."""
    wires = list(operation.wires)
    if not operation.has_matrix or len(wires) > QUBITS_COMPARED:
        return True
    if not wires:
        return all(part.name == PHASE for part in parts)
    return distance(operation, parts) < ROUNDING


def missing_phase(operation: Operator, parts: Sequence[Operator]) -> list[Operator]:
    """The digits of a global phase that a decomposition loses, where there are any."""
    wires = list(operation.wires)
    if not operation.has_matrix or not 0 < len(wires) <= QUBITS_COMPARED:
        return []
    found = qml.matrix(qml.tape.QuantumScript([*parts, *map(qml.I, wires)]), wire_order=wires)
    phase = float(np.angle(np.vdot(found, np.asarray(operation.matrix(wire_order=wires)))))
    return [qml.GlobalPhase(-phase)] if abs(phase) > LOST_DIGITS else []


def distance(operation: Operator, parts: Sequence[Operator]) -> float:
    """Largest difference of an entry between a gate's matrix and its parts', up to a global phase."""
    wires = list(operation.wires)
    if any(wire not in wires for part in parts for wire in part.wires):
        return math.inf
    found = qml.matrix(qml.tape.QuantumScript([part for part in parts if part.name != "Barrier"]), wire_order=wires)
    expected = np.asarray(operation.matrix(wire_order=wires))
    overlap = np.vdot(found, expected)
    return float(np.abs(found * overlap / abs(overlap) - expected).max()) if abs(overlap) > 0 else math.inf
