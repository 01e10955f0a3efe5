"""What becomes of a circuit in a backend's own gates: depth and two-qubit gates, without running it."""

from __future__ import annotations

from typing import Any

import pennylane as qml
from pennylane.tape import QuantumScript

from hybrid_qproj.devices.adapters import Compiled
from hybrid_qproj.devices.spec import DeviceSpec

GENERIC_BASIS = ("CNOT", "CZ", "RX", "RY", "RZ", "Hadamard", "GlobalPhase")


def machine_snapshot(spec: DeviceSpec) -> Any:
    """The calibration snapshot that stands for the backend of a spec, without looking anything up.

    Args:
        spec: the device.

    Returns:
        the snapshot named by the spec, or that of the machine it names; None where there is none.

    Raises:
        DeviceUnavailableError: the spec names a snapshot that does not exist.
        MissingExtraError: qiskit is not installed.
    """
    backends, name = spec.adapter.backends, spec.option("backend")
    return None if backends is None or not name else backends.stand_in(name)


def compile_for(tape: QuantumScript, spec: DeviceSpec) -> Compiled:
    """Compile a circuit as the device would.

    A device whose row names a compiler compiles with that, for the backend or its snapshot; for all others the circuit
    is decomposed to CNOT, CZ and single-qubit gates, gate by gate: a vendor's compiler may do better.

    Args:
        tape: a circuit without batch dimension.
        spec: the device.

    Returns:
        the size.

    Raises:
        DeviceUnavailableError: a backend snapshot does not exist.
        MissingExtraError: the compiler is not installed.
    """
    compiler = spec.adapter.compiler
    return _decomposed(tape) if compiler is None else compiler(tape, spec)


def _decomposed(tape: QuantumScript) -> Compiled:
    (plain,), _ = qml.transforms.decompose(tape, gate_set=set(GENERIC_BASIS))
    gates = [operation for operation in plain.operations if operation.name != "GlobalPhase"]
    resources = QuantumScript(gates, plain.measurements).specs["resources"]
    return Compiled("CNOT, CZ and rotations", len(tape.wires), resources.depth, resources.gate_sizes.get(2, 0))
