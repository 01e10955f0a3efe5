"""Any gate, its numbers or expressions of parameters, in the gates that OpenQASM's standard files have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pennylane as qml
from pennylane.operation import Operator

from hybrid_qproj.viz.circuits.angles import Angle, linear
from hybrid_qproj.viz.circuits.decomposition import decomposed
from hybrid_qproj.viz.circuits.errors import DrawingError
from hybrid_qproj.viz.circuits.gates import Gate
from hybrid_qproj.viz.circuits.matrices import PHASE, missing_phase

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
        parts = decomposed(operation, names)
        if names is not NAMES_2:
            parts = [*parts, *missing_phase(operation, parts)]
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
        runs.append(decomposed(qml.ops.functions.bind_new_parameters(operation, data), names))
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
