"""qiskit's local simulators: a seed for each circuit, and qiskit's own compiler."""

from __future__ import annotations

from typing import Any

import pennylane as qml
from pennylane.devices import Device
from pennylane.tape import QuantumScript

from hybrid_qproj._util.extras import require
from hybrid_qproj.devices.adapters import Asked, Compiled
from hybrid_qproj.devices.wrappers.seeding import Reseeded, circuit_seed

AER_METHODS = (
    "automatic",
    "statevector",
    "density_matrix",
    "stabilizer",
    "matrix_product_state",
    "extended_stabilizer",
    "unitary",
    "superop",
    "tensor_network",
)
AER_BACKENDS = (
    "aer_simulator",
    *(f"aer_simulator_{method}" for method in AER_METHODS[1:]),
    "qasm_simulator",
    "statevector_simulator",
    "unitary_simulator",
)


def reseeded(device: Device, asked: Asked) -> Device:
    """The wrapper that gives each circuit a seed of its own."""
    if asked.seed is None:
        return device
    arguments = device.target_device.run_args
    return Reseeded(device, asked.seed, lambda seed: arguments.update(seed_simulator=seed))


def compile_for_aer(tape: QuantumScript, asked: Asked) -> Compiled:
    """Compile for a backend of Aer."""
    name = asked.option("backend") or "aer_simulator"
    backend = require("qiskit_aer", "qiskit", asked.name).Aer.get_backend(name)
    return transpiled(tape, asked, name, {"backend": backend})


def compile_for_basic_simulator(tape: QuantumScript, asked: Asked) -> Compiled:
    """Compile for qiskit's own simulator."""
    provider = require("qiskit.providers.basic_provider", "qiskit", asked.name)
    return transpiled(tape, asked, "BasicSimulator", {"backend": provider.BasicSimulator()})


def transpiled(tape: QuantumScript, asked: Asked, target: str, settings: dict[str, Any]) -> Compiled:
    """Compile with qiskit's transpiler.

    Args:
        tape: a circuit without batch dimension.
        asked: the device; its ``optimization_level`` and ``seed`` are used.
        target: what it is compiled for, in words.
        settings: the same, as ``qiskit.transpile`` takes it.

    Returns:
        the size.

    Raises:
        MissingExtraError: qiskit is not installed.
    """
    qiskit = require("qiskit", "qiskit", f"an estimate for {asked.name!r}")
    circuit = qiskit.QuantumCircuit.from_qasm_str(qml.to_openqasm(tape, measure_all=False))
    compiled = qiskit.transpile(
        circuit,
        optimization_level=asked.option("optimization_level"),
        seed_transpiler=circuit_seed(asked.seed or 0, 0),
        **settings,
    )
    return Compiled(target, len(tape.wires), compiled.depth(), compiled.num_nonlocal_gates())
