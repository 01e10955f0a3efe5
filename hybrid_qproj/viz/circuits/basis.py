"""Any gate as gates that OpenQASM's standard files have, by PennyLane's decompositions, checked by matrices."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pennylane as qml
from pennylane.operation import Channel, Operator
from pennylane.ops.mid_measure import MidMeasure
from pennylane.ops.op_math import Adjoint, Controlled

from hybrid_qproj.viz.circuits.angles import Angle, linear
from hybrid_qproj.viz.circuits.errors import DrawingError
from hybrid_qproj.viz.circuits.gates import Gate, plain
from hybrid_qproj.viz.circuits.subjects import Reprepare

NAMES_2: Mapping[str, str] = {
    "Identity": "id", "PauliX": "x", "PauliY": "y", "PauliZ": "z", "Hadamard": "h", "S": "s", "Adjoint(S)": "sdg",
    "T": "t", "Adjoint(T)": "tdg", "RX": "rx", "RY": "ry", "RZ": "rz", "PhaseShift": "u1", "U1": "u1", "U2": "u2",
    "U3": "u3", "CNOT": "cx", "CY": "cy", "CZ": "cz", "CH": "ch", "Toffoli": "ccx", "CRZ": "crz",
    "ControlledPhaseShift": "cu1", "Barrier": "barrier",
}  # fmt: skip
"""Gates of the qelib1.inc that OpenQASM 2 was published with; later ones of qiskit are not in every reader's."""

NAMES_3: Mapping[str, str] = {
    **{name: own for name, own in NAMES_2.items() if name not in ("U2", "U3")},
    "PhaseShift": "p", "U1": "p", "ControlledPhaseShift": "cp", "CRX": "crx", "CRY": "cry", "SWAP": "swap",
    "CSWAP": "cswap", "SX": "sx",
}  # fmt: skip
"""Gates of stdgates.inc that are PennyLane's, phase included; u2 and u3 have a phase of their own there."""

PHASED = {"U2", "U3"}
ROTATIONS = {"RX", "RY", "RZ", "PhaseShift"}
PHASE = "GlobalPhase"
TINY = 1e-16
DEPTH = 60
DETOUR = 20
"""Depth left for the parts of a detour, which makes none of its own."""

LARGEST = 8
"""Qubits up to which a gate's decomposition is compared with its matrix."""

ACCURATE = 1e-8
"""Difference between a gate and its decomposition that is rounding."""

PRECISE = 1e-12
TWO = 2

Part = tuple[str, tuple[int, ...], tuple[Angle, ...]]
"""Name in PennyLane, wires and angles."""


def standard_parts(gate: Gate, names: Mapping[str, str], show: Callable[[Angle], str]) -> list[Part]:
    """A gate as gates of a standard file, and global phases.

    Args:
        gate: the gate with its numbers.
        names: the file's gates by PennyLane's names.
        show: an expression for an error's message.

    Returns:
        the parts in the order in which they act.

    Raises:
        DrawingError: it is no gate, or has no such form.
    """
    operation, slots = gate
    entries = [entry for slot in slots for entry in slot.entries]
    free = sorted({symbol for entry in entries for symbol in entry.symbols})
    strange = next((entry for entry in entries if entry.function), None)
    if strange is None and (operation.name in names or operation.name == PHASE):
        # The number of wires of an identity is a setting of it.
        return [_part(operation, (entry for slot in slots if not slot.setting for entry in slot.entries))]
    if not free:
        parts = _decomposed(operation, names)
        if names is not NAMES_2:
            parts = [*parts, *_missing_phase(operation, parts)]
        return [_part(part, map(Angle, map(float, part.data))) for part in parts]
    if strange is not None or any(slot.setting and slot.symbols for slot in slots):
        function = next((slot.whole for slot in slots if slot.whole and slot.whole.function), strange)
        which = show(function) if function else "a setting that depends on parameters"
        raise DrawingError(
            f"gate {operation.name} has {which}, which OpenQASM cannot say: only sums of multiples of parameters. "
            "Give the parameters values, or export a saved model"
        )
    return _symbolic(gate, free, names)


def _symbolic(gate: Gate, free: Sequence[int], names: Mapping[str, str]) -> list[Part]:
    """Parts whose angles are found in terms of the symbols from what they are at many values."""
    operation, slots = gate
    rng = np.random.default_rng(11)
    points = rng.uniform(-3, 3, size=(2 * len(free) + 10, len(free)))
    points[2 * len(free) + 6 :] *= 10
    runs = []
    for point in points:
        values = dict(zip(free, point.tolist(), strict=True))
        data = []
        for slot in slots:
            if not slot.setting:
                numbers = [entry.bound(values).constant for entry in slot.entries]
                data.append(np.array(numbers).reshape(slot.shape)[()])
        runs.append(_decomposed(qml.ops.functions.bind_new_parameters(operation, data), names))
    shapes = [[(part.name, part.wires) for part in run] for run in runs]
    same = all(shape == shapes[0] for shape in shapes)
    parts = []
    for number, first in enumerate(runs[0]):
        columns = zip(*(map(float, run[number].data) for run in runs), strict=True) if same else ()
        sums = [linear(points, np.array(column)) for column in columns]
        if not same or None in sums:
            raise DrawingError(
                f"gate {operation.name} cannot be written in OpenQASM with parameters: its decomposition depends on "
                "their values. Give the parameters values, or export a saved model"
            )
        parts.append(_part(first, (found.renumbered(free) for found in sums if found is not None)))
    return parts


def _part(operation: Operator, angles: Iterable[Angle]) -> Part:
    return operation.name, _wires(operation), tuple(angles)


def _wires(operation: Operator) -> tuple[int, ...]:
    return tuple(operation.wires) if operation.name != PHASE else ()


def _decomposed(operation: Operator, names: Mapping[str, str]) -> list[Operator]:
    """A gate of numbers as gates of a standard file."""
    _check_kind(operation)
    small = _reduced(operation)
    if small is not operation and not _unitary(operation):
        # Its own matrix has lost its digits: U2 adds its angles.
        operation = small
    for candidate in [small] if small is operation else [operation, small]:
        parts = _expand(candidate, names, DEPTH)
        if _agrees(operation, parts):
            return parts
    if operation.has_matrix and len(operation.wires) <= LARGEST:
        parts = _expand(_by_matrix(operation), names, DEPTH)
        if _agrees(operation, parts):
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
        clean = np.where(abs(matrix.real) < TINY, 0, matrix.real) + 1j * np.where(
            abs(matrix.imag) < TINY, 0, matrix.imag
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
    if _distance(operation, found) < PRECISE:
        return found
    matrix, wires = np.asarray(operation.matrix()), operation.wires
    for gate in (qml.SWAP(wires[:TWO]), qml.CNOT(wires[:TWO])):
        rest = qml.QubitUnitary(matrix @ gate.matrix(wire_order=wires), wires=wires)
        other = [*_expand(gate, names, DETOUR), *_expand(rest, names, DETOUR)]
        found = min(found, other, key=lambda parts: _distance(operation, parts))
    return found


def _by_matrix(operation: Operator, why: str = "") -> Operator:
    """A gate without a decomposition of its own."""
    if isinstance(operation, qml.QubitUnitary) or not operation.has_matrix:
        raise DrawingError(f"{operation.name} has no decomposition into gates, so OpenQASM cannot say it{why}")
    if operation.matrix().shape != (2 ** len(operation.wires),) * 2:
        raise DrawingError(f"{operation.name} is no gate of qubits, so OpenQASM cannot say it")
    if not _unitary(operation):
        raise DrawingError(f"{operation.name} is no unitary gate, so OpenQASM cannot say it")
    return qml.QubitUnitary(np.asarray(operation.matrix(), dtype=complex), wires=operation.wires)


def _unitary(operation: Operator) -> bool:
    """Whether a gate's matrix is unitary, where it has one."""
    if not operation.has_matrix:
        return True
    matrix = np.asarray(operation.matrix(), dtype=complex)
    return bool(np.allclose(matrix.conj().T @ matrix, np.eye(len(matrix)), rtol=0, atol=1e-9))


def _reduced(operation: Operator) -> Operator:
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


def _agrees(operation: Operator, parts: Sequence[Operator]) -> bool:
    """Whether parts have a gate's matrix, up to a global phase; true where it has none to compare with."""
    wires = list(operation.wires)
    if not operation.has_matrix or len(wires) > LARGEST:
        return True
    if not wires:
        return all(part.name == PHASE for part in parts)
    return _distance(operation, parts) < ACCURATE


def _missing_phase(operation: Operator, parts: Sequence[Operator]) -> list[Operator]:
    """The digits of a global phase that a decomposition loses, where there are any."""
    wires = list(operation.wires)
    if not operation.has_matrix or not 0 < len(wires) <= LARGEST:
        return []
    found = qml.matrix(qml.tape.QuantumScript([*parts, *map(qml.I, wires)]), wire_order=wires)
    phase = float(np.angle(np.vdot(found, np.asarray(operation.matrix(wire_order=wires)))))
    return [qml.GlobalPhase(-phase)] if abs(phase) > PRECISE else []


def _distance(operation: Operator, parts: Sequence[Operator]) -> float:
    """Largest difference of an entry between a gate's matrix and its parts', up to a global phase."""
    wires = list(operation.wires)
    if any(wire not in wires for part in parts for wire in part.wires):
        return math.inf
    found = qml.matrix(qml.tape.QuantumScript([part for part in parts if part.name != "Barrier"]), wire_order=wires)
    expected = np.asarray(operation.matrix(wire_order=wires))
    overlap = np.vdot(found, expected)
    return float(np.abs(found * overlap / abs(overlap) - expected).max()) if abs(overlap) > 0 else math.inf
