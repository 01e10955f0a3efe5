"""`DeviceSpec` to a live PennyLane device, wrapped in what its plugin lacks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pennylane as qml
from pennylane.devices import Device

from hybrid_qproj.devices.adapters import Adapter, adapter_for
from hybrid_qproj.devices.backends import ibm_backend, is_simulated, usable_qubits
from hybrid_qproj.devices.checks import check_installed, check_request
from hybrid_qproj.devices.errors import DeviceUnavailableError
from hybrid_qproj.devices.failures import Guarded
from hybrid_qproj.devices.ibm import OneJob
from hybrid_qproj.devices.packing import Packed
from hybrid_qproj.devices.precision import DoublePrecision
from hybrid_qproj.devices.readout import RootlessReadout
from hybrid_qproj.devices.seeding import Reseeded, circuit_seed
from hybrid_qproj.devices.spec import DeviceSpec
from hybrid_qproj.extras import require

_COMPLEX = {"complex64": np.complex64, "complex128": np.complex128}
# Snapshots are simulated with their noise: the cost doubles with every qubit, so few blocks share a circuit.
SNAPSHOT_PACK = 2


def make_device(spec: DeviceSpec, wires: int) -> Device:
    """Build the device of a spec. Nothing is sent anywhere, but a named IBM machine is looked up.

    Args:
        spec: what to build; its shots belong to the QNode, not to the device.
        wires: wires of one block's circuit.

    Returns:
        the live device.

    Raises:
        DeviceUnavailableError: the name is unknown, the plugin missing or too old, shots missing where the device
            samples, an option not known, a seed not possible, or too few wires.
    """
    adapter = adapter_for(spec.name)
    check_installed(spec)
    check_request(spec)
    options = _options(spec, adapter)
    backend = None
    if spec.name == "qiskit.remote":
        backend = options["backend"] = ibm_backend(spec.option("backend"), wires * (spec.pack or 1))
    blocks = blocks_per_circuit(spec, wires, usable_qubits(backend, wires))
    total = spec.wires or wires * blocks
    if total < wires * blocks or (adapter.max_wires and total > adapter.max_wires):
        raise DeviceUnavailableError(
            f"device {str(spec)!r}: {blocks} blocks of {wires} wires need {wires * blocks} wires; it has "
            f"{min(total, adapter.max_wires or total)}. Lower pack, or raise wires"
        )
    try:
        device = qml.device(spec.name, wires=total, **options)
    except Exception as error:
        raise DeviceUnavailableError(
            f"device {str(spec)!r} could not be built: {type(error).__name__}: {_without_secrets(error, adapter)}. "
            f"{adapter.hint or 'Check its options'}, or install it anew: pip install -U {adapter.install}"
        ) from None
    if spec.name == "default.mixed":
        device = RootlessReadout(device)
    if adapter.batches and blocks == 1:
        # Results are torch tensors of double precision already, and one simulation takes all blocks.
        return device
    if spec.name == "qiskit.remote":
        device = OneJob(device)
    device = _seeded(device, spec, adapter)
    if adapter.paid:
        device = Guarded(device, str(spec))
    device = DoublePrecision(device)
    # qiskit.remote breaks the device interface: a single result comes in a tuple, and it wants it back in one.
    return Packed(device, blocks, wires, in_tuple=spec.name == "qiskit.remote") if blocks > 1 else device


def blocks_per_circuit(spec: DeviceSpec, wires: int, qubits: int | None = None) -> int:
    """How many blocks share a circuit on a device.

    Args:
        spec: the device; its ``pack`` decides if it is given.
        wires: wires of a block.
        qubits: qubits of the backend that blocks can fill, where there is one.

    Returns:
        a number of at least 1.
    """
    adapter = adapter_for(spec.name)
    if spec.pack is not None:
        return spec.pack
    available = spec.wires or qubits
    fitting = max(1, available // wires) if available else None
    if is_simulated(str(spec.option("backend"))):
        return min(SNAPSHOT_PACK, fitting or SNAPSHOT_PACK)
    if adapter.pack is not None:
        return adapter.pack
    return fitting or 1


def _options(spec: DeviceSpec, adapter: Adapter) -> dict[str, Any]:
    options = dict(spec.options)
    if "c_dtype" in options:
        # lightning accepts any object here at construction and fails, or worse, later.
        if options["c_dtype"] not in _COMPLEX:
            raise DeviceUnavailableError(
                f"c_dtype={options['c_dtype']!r} for {spec.name!r}: expected one of {', '.join(_COMPLEX)}"
            )
        options["c_dtype"] = _COMPLEX[options["c_dtype"]]
    if spec.name == "cirq.simulator":
        # The plugin's own choice is single precision; cirq.mixedsimulator leaves no other.
        options["simulator"] = require("cirq", "cirq", spec.name).Simulator(dtype=np.complex128)
    if spec.seed is not None and adapter.seeding == "device":
        options["seed"] = spec.seed
    if spec.seed is not None and spec.name == "qiskit.remote":
        # Compilation for a coupling map draws random layouts.
        options["seed_transpiler"] = circuit_seed(spec.seed, 0)
    return options


def _seeded(device: Device, spec: DeviceSpec, adapter: Adapter) -> Device:
    if spec.seed is None or adapter.seeding == "device":
        return device
    if adapter.seeding == "circuit":
        arguments = device.target_device.run_args
        return Reseeded(device, spec.seed, lambda seed: arguments.update(seed_simulator=seed))
    # An IBM job has one seed for all its circuits, and draws their noise from it one after the other.
    return Reseeded(
        device, spec.seed, lambda seed: device.inner._kwargs.update(simulator={"seed_simulator": seed}), together=True
    )


def _without_secrets(error: Exception, adapter: Adapter) -> str:
    """The error's message, but not of a provider whose messages may quote an account."""
    return "see the plugin's documentation" if adapter.secrets else str(error)
