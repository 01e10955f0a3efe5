"""A gate of numbers as gates that a file knows, by PennyLane's decompositions, checked by matrices."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pennylane as qml
from pennylane.operation import Channel, Operator
from pennylane.ops.mid_measure import MidMeasure
from pennylane.ops.op_math import Adjoint, Controlled

from hybrid_qproj.viz.circuits.errors import DrawingError
from hybrid_qproj.viz.circuits.gates import plain
from hybrid_qproj.viz.circuits.matrices import LOST_DIGITS, PHASE, QUBITS_COMPARED, agrees, distance, reduced, unitary
from hybrid_qproj.viz.circuits.subjects import Reprepare

PHASED = {"U2", "U3"}
"""Gates with a phase of their own, which counts under a control."""

ROTATIONS = {"RX", "RY", "RZ", "PhaseShift"}

NO_ENTRY = 1e-16
"""Part of a matrix's entry that is taken for 0."""

DEPTH = 60
"""Steps of decompositions within decompositions; more have no end."""

DETOUR = 20
"""Depth left for the parts of a detour, which makes none of its own."""

TWO = 2


def decomposed(operation: Operator, names: Mapping[str, str]) -> list[Operator]:
    """A gate of numbers as gates of a standard file."""
    _check_kind(operation)
    small = reduced(operation)
    if small is not operation and not unitary(operation):
        # Its own matrix has lost its digits: U2 adds its angles.
        operation = small
    for candidate in [small] if small is operation else [operation, small]:
        parts = _expand(candidate, names, DEPTH)
        if agrees(operation, parts):
            return parts
    if operation.has_matrix and len(operation.wires) <= QUBITS_COMPARED:
        parts = _expand(_by_matrix(operation), names, DEPTH)
        if agrees(operation, parts):
            return parts
    raise DrawingError(
        f"gate {operation.name} cannot be written in OpenQASM: PennyLane's decomposition of it gives another matrix"
    )


def _check_kind(operation: Operator) -> None:
    base = getattr(operation, "base", None)
    kinds = (operation, base) if base is not None else (operation,)
    if any(isinstance(kind, MidMeasure) or type(kind).__name__ == "Conditional" for kind in kinds):
        raise DrawingError("the circuit measures inside, which is not written as OpenQASM; draw it as a picture")
    if any(isinstance(kind, Channel | Reprepare) for kind in kinds):
        raise DrawingError(f"{operation.name} is no gate, so OpenQASM cannot say it; draw the circuit as a picture")


def _expand(operation: Operator, names: Mapping[str, str], depth: int) -> list[Operator]:
    if operation.name in names or operation.name == PHASE:
        return [operation]
    _check_kind(operation)
    if depth == 0:
        raise DrawingError(f"gate {operation.name} has no end of decompositions, so it cannot be written in OpenQASM")
    try:
        parts = [plain(part) for part in _once(operation, names)]
    except Exception as error:
        parts = [_by_matrix(operation, f" ({type(error).__name__}: {error})")]
    found = [small for part in parts for small in _expand(part, names, depth - 1)]
    if isinstance(operation, qml.QubitUnitary) and len(operation.wires) >= TWO and depth > DETOUR:
        return _without_loss(operation, found, names)
    return found


def _once(operation: Operator, names: Mapping[str, str]) -> list[Operator]:
    """One step of a decomposition."""
    if isinstance(operation, qml.QubitUnitary):
        # LAPACK's decompositions fail on what is next to nothing.
        matrix = np.asarray(operation.matrix(), dtype=complex)
        clean = np.where(abs(matrix.real) < NO_ENTRY, 0, matrix.real) + 1j * np.where(
            abs(matrix.imag) < NO_ENTRY, 0, matrix.imag
        )
        operation = qml.QubitUnitary(clean, wires=operation.wires)
    if isinstance(operation, Adjoint):
        base = operation.base
        kept = base.name == PHASE or (base.name in names and base.name not in PHASED)
        if kept and not isinstance(inverse := qml.adjoint(base, lazy=False), Adjoint):
            return [inverse]
        if not kept and base.has_decomposition:
            # PennyLane's own takes angles modulo 2 pi, and so out of their expressions.
            return [qml.adjoint(part, lazy=False) for part in reversed(base.decomposition())]
    if isinstance(operation, Controlled) and operation.base.name in PHASED:
        return [
            qml.ctrl(part, operation.control_wires, operation.control_values, operation.work_wires)
            for part in operation.base.decomposition()
        ]
    if isinstance(operation, Controlled) and len(operation.control_wires) > 1 and operation.base.name in ROTATIONS:
        return _halved(operation)
    return operation.decomposition()


def _halved(operation: Controlled) -> list[Operator]:
    """A rotation under several controls, in halves of its angle: PennyLane's own goes by the matrix, which has none."""
    base, controls, values = operation.base, operation.control_wires, operation.control_values
    (target,), angle = base.wires, base.data[0]
    if base.name == "PhaseShift":
        # Half the phase less before a 1 of the target than after it, and the other half on the controls alone.
        return [
            qml.ctrl(qml.RZ(angle, target), controls, values),
            *(qml.X(controls[-1]) for _ in range(1 - values[-1])),
            qml.ctrl(qml.PhaseShift(angle / 2, controls[-1]), controls[:-1], values[:-1]),
            *(qml.X(controls[-1]) for _ in range(1 - values[-1])),
        ]
    if base.name == "RX":
        return [qml.H(target), qml.ctrl(qml.RZ(angle, target), controls, values), qml.H(target)]
    flip = qml.MultiControlledX([*controls, target], control_values=values)
    return [type(base)(angle / 2, target), flip, type(base)(-angle / 2, target), flip]


def _without_loss(operation: Operator, found: list[Operator], names: Mapping[str, str]) -> list[Operator]:
    """A matrix in gates to the last digits.

    PennyLane takes a two-qubit matrix near a product of one-qubit ones for such a product, and larger ones lose digits
    near the identity; away from there both are exact. A matrix U is U V^-1 after V, and of a swap or a CNOT for V one
    takes it far away.
    """
    if distance(operation, found) < LOST_DIGITS:
        return found
    matrix, wires = np.asarray(operation.matrix()), operation.wires
    for gate in (qml.SWAP(wires[:TWO]), qml.CNOT(wires[:TWO])):
        rest = qml.QubitUnitary(matrix @ gate.matrix(wire_order=wires), wires=wires)
        other = [*_expand(gate, names, DETOUR), *_expand(rest, names, DETOUR)]
        found = min(found, other, key=lambda parts: distance(operation, parts))
    return found


def _by_matrix(operation: Operator, why: str = "") -> Operator:
    """A gate without a decomposition of its own."""
    if isinstance(operation, qml.QubitUnitary) or not operation.has_matrix:
        raise DrawingError(f"{operation.name} has no decomposition into gates, so OpenQASM cannot say it{why}")
    if operation.matrix().shape != (2 ** len(operation.wires),) * 2:
        raise DrawingError(f"{operation.name} is no gate of qubits, so OpenQASM cannot say it")
    if not unitary(operation):
        raise DrawingError(f"{operation.name} is no unitary gate, so OpenQASM cannot say it")
    return qml.QubitUnitary(np.asarray(operation.matrix(), dtype=complex), wires=operation.wires)
