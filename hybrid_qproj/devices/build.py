"""`DeviceSpec` to a live PennyLane device, wrapped in what its plugin lacks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pennylane as qml
from pennylane.devices import Device

from hybrid_qproj._util.extras import require
from hybrid_qproj.devices.adapters import ADAPTERS, Adapter, adapter_for
from hybrid_qproj.devices.backends import IBM, ibm_backend, is_snapshot, usable_qubits
from hybrid_qproj.devices.checks import check_installed, check_known, check_request
from hybrid_qproj.devices.cost import check_allowed
from hybrid_qproj.devices.errors import DeviceUnavailableError
from hybrid_qproj.devices.packing import Packed
from hybrid_qproj.devices.size import check_wires
from hybrid_qproj.devices.spec import DeviceSpec
from hybrid_qproj.devices.wrappers.failures import Guarded
from hybrid_qproj.devices.wrappers.ibm import OneJob
from hybrid_qproj.devices.wrappers.precision import DoublePrecision
from hybrid_qproj.devices.wrappers.readout import RootlessReadout
from hybrid_qproj.devices.wrappers.seeding import Reseeded, circuit_seed

_COMPLEX = {"complex64": np.complex64, "complex128": np.complex128}
# Snapshots are simulated with their noise: the cost doubles with every qubit, so few blocks share a circuit.
SNAPSHOT_PACK = 2


def make_device(spec: DeviceSpec, wires: int, allow_paid: bool = False, work: str = "") -> Device:
    """Build the device of a spec. No circuit is sent anywhere, but a named IBM machine is looked up.

    Args:
        spec: what to build; its shots belong to the QNode, not to the device.
        wires: wires of one block's circuit.
        allow_paid: whether the device may be one that can cost money.
        work: what is to run on it, in words, for the error of one that may not.

    Returns:
        the live device.

    Raises:
        PaidDeviceError: it can cost money and is not allowed; nothing was built or contacted.
        DeviceUnavailableError: the name is unknown, the plugin missing or too old, shots missing where the device
            samples, a seed not possible, or too few wires, or too many.
    """
    check_known(spec.name)
    check_allowed(spec, allow_paid, work)
    adapter = adapter_for(spec.name)
    check_installed(spec)
    check_request(spec)
    check_wires(spec, spec.pack or 1, wires)
    options = _options(spec, adapter)
    backend = None
    if spec.name == IBM:
        needed = max(spec.wires or 0, wires * (spec.pack or 1))
        backend = options["backend"] = ibm_backend(spec.option("backend"), needed)
    blocks = blocks_per_circuit(spec, wires, usable_qubits(backend, wires))
    total = check_wires(spec, blocks, wires)
    try:
        device = qml.device(spec.name, wires=total, **options)
    except Exception as error:
        raise DeviceUnavailableError(
            f"device {str(spec)!r} could not be built: {type(error).__name__}: {_without_secrets(error, spec.name)}. "
            f"{adapter.hint or 'Check its options'}, or install it anew: pip install -U {adapter.install}"
        ) from None
    if spec.name == "default.mixed":
        device = RootlessReadout(device)
    if adapter.batches and blocks == 1:
        # Results are torch tensors of double precision already, and one simulation takes all blocks.
        return device
    if spec.name == IBM:
        device = OneJob(device)
    device = _seeded(device, spec, adapter)
    if adapter.paid:
        device = Guarded(device, str(spec))
    device = DoublePrecision(device)
    # qiskit.remote breaks the device interface: a single result comes in a tuple, and it wants it back in one.
    return Packed(device, blocks, wires, in_tuple=spec.name == IBM) if blocks > 1 else device


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
    if is_snapshot(spec):
        return min(SNAPSHOT_PACK, fitting or SNAPSHOT_PACK)
    if adapter.pack is not None:
        return adapter.pack
    return fitting or 1


def _options(spec: DeviceSpec, adapter: Adapter) -> dict[str, Any]:
    options = dict(spec.options)
    if "c_dtype" in options:
        options["c_dtype"] = _COMPLEX[options["c_dtype"]]
    if "s3_destination_folder" in options:
        # The plugin takes a pair.
        options["s3_destination_folder"] = tuple(options["s3_destination_folder"].partition("/")[::2])
    if spec.name == "cirq.simulator":
        # The plugin's own choice is single precision; cirq.mixedsimulator leaves no other.
        options["simulator"] = require("cirq", "cirq", spec.name).Simulator(dtype=np.complex128)
    if spec.seed is not None and adapter.seeding == "device":
        options["seed"] = spec.seed
    if spec.seed is not None and spec.name == IBM:
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


def _without_secrets(error: Exception, name: str) -> str:
    """The error's message, but not of a provider whose messages may quote an account."""
    local = name in ADAPTERS and not ADAPTERS[name].paid
    return str(error) if local else "see the plugin's documentation"
