"""What becomes of a circuit in a backend's own gates: depth and two-qubit gates, without running it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pennylane as qml
from pennylane.tape import QuantumScript

from hybrid_qproj._util.extras import require
from hybrid_qproj.devices.backends import IBM, is_snapshot, snapshot, snapshot_of
from hybrid_qproj.devices.spec import DeviceSpec
from hybrid_qproj.devices.wrappers.seeding import circuit_seed

IBM_BASIS = ("cz", "rz", "sx", "x")
"""Gates of IBM's current machines."""
GENERIC_BASIS = ("CNOT", "CZ", "RX", "RY", "RZ", "Hadamard", "GlobalPhase")


@dataclass(frozen=True)
class Compiled:
    """Size of a compiled circuit.

    Args:
        target: what it was compiled for, in words.
        wires: wires that the circuit uses.
        depth: layers of gates; measurements are none.
        two_qubit_gates: gates on two wires.
    """

    target: str
    wires: int
    depth: int
    two_qubit_gates: int


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
    backend = spec.option("backend")
    if spec.name != IBM or not backend:
        return None
    return snapshot(backend) if is_snapshot(spec) else snapshot_of(backend)


def compile_for(tape: QuantumScript, spec: DeviceSpec) -> Compiled:
    """Compile a circuit as the device would.

    qiskit devices compile with their own transpiler, for the backend or its snapshot; all others are decomposed to
    CNOT, CZ and single-qubit gates, gate by gate: a vendor's compiler may do better.

    Args:
        tape: a circuit without batch dimension.
        spec: the device; its ``optimization_level`` and ``seed`` are used.

    Returns:
        the size.

    Raises:
        DeviceUnavailableError: a backend snapshot does not exist.
        MissingExtraError: qiskit is not installed.
    """
    return _transpiled(tape, spec) if spec.name.startswith("qiskit.") else _decomposed(tape)


def _decomposed(tape: QuantumScript) -> Compiled:
    (plain,), _ = qml.transforms.decompose(tape, gate_set=set(GENERIC_BASIS))
    gates = [operation for operation in plain.operations if operation.name != "GlobalPhase"]
    resources = QuantumScript(gates, plain.measurements).specs["resources"]
    return Compiled("CNOT, CZ and rotations", len(tape.wires), resources.depth, resources.gate_sizes.get(2, 0))


def _transpiled(tape: QuantumScript, spec: DeviceSpec) -> Compiled:
    qiskit = require("qiskit", "qiskit", f"an estimate for {spec.name!r}")
    circuit = qiskit.QuantumCircuit.from_qasm_str(qml.to_openqasm(tape, measure_all=False))
    target, settings = _target(spec)
    compiled = qiskit.transpile(
        circuit,
        optimization_level=spec.option("optimization_level"),
        seed_transpiler=circuit_seed(spec.seed or 0, 0),
        **settings,
    )
    return Compiled(target, len(tape.wires), compiled.depth(), compiled.num_nonlocal_gates())


def _target(spec: DeviceSpec) -> tuple[str, dict[str, Any]]:
    if spec.name == "qiskit.basicsim":
        provider = require("qiskit.providers.basic_provider", "qiskit", spec.name)
        return "BasicSimulator", {"backend": provider.BasicSimulator()}
    if spec.name == "qiskit.aer":
        name = spec.option("backend") or "aer_simulator"
        return name, {"backend": require("qiskit_aer", "qiskit", spec.name).Aer.get_backend(name)}
    found = machine_snapshot(spec)
    if found is not None:
        return found.name, {"backend": found}
    return f"IBM basis {', '.join(IBM_BASIS)}, all qubits coupled", {"basis_gates": list(IBM_BASIS)}
