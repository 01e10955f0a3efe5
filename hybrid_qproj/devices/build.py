"""`DeviceSpec` to a live PennyLane device, wrapped in what its plugin lacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pennylane as qml
from pennylane.devices import Device

from hybrid_qproj.devices.backends import usable_qubits
from hybrid_qproj.devices.checks import check_installed, check_known, check_request
from hybrid_qproj.devices.cost import check_allowed
from hybrid_qproj.devices.errors import DeviceUnavailableError
from hybrid_qproj.devices.packing import Packed
from hybrid_qproj.devices.size import check_wires
from hybrid_qproj.devices.spec import DeviceSpec
from hybrid_qproj.devices.wrappers.failures import Guarded
from hybrid_qproj.devices.wrappers.precision import DoublePrecision

SNAPSHOT_PACK = 2
"""Blocks in a circuit on a snapshot: it is simulated with its noise, and the cost doubles with every qubit."""


def make_device(
    spec: DeviceSpec, wires: int, allow_paid: bool = False, work: str = "", labels: Sequence[Any] | None = None
) -> Device:
    """Build the device of a spec. No circuit is sent anywhere, but a machine that it names is looked up.

    Args:
        spec: what to build; its shots belong to the QNode, not to the device.
        wires: wires of one block's circuit.
        allow_paid: whether the device may be one that can cost money.
        work: what is to run on it, in words, for the error of one that may not.
        labels: names of the device's wires, for one block without others beside it; 0, 1, ... when None.

    Returns:
        the live device. Noise of the spec belongs to the QNode, as shots do.

    Raises:
        PaidDeviceError: it can cost money and is not allowed; nothing was built or contacted.
        DeviceUnavailableError: the name is unknown, the plugin missing or too old, shots missing where the device
            samples, a seed not possible, or too few wires, or too many.
    """
    check_known(spec.name)
    check_allowed(spec, allow_paid, work)
    adapter = spec.adapter
    # What no installation would change comes first, so that the message is the same on every machine.
    check_request(spec)
    check_installed(spec)
    check_wires(spec, spec.pack or 1, wires)
    arguments = plugin_arguments(spec)
    backend = None
    if adapter.backends is not None:
        needed = max(spec.wires or 0, wires * (spec.pack or 1))
        backend = arguments["backend"] = adapter.backends.find(spec.option("backend"), needed)
    blocks = blocks_per_circuit(spec, wires, usable_qubits(backend, wires))
    total = check_wires(spec, blocks, wires)
    try:
        device = qml.device(adapter.built, wires=labels or total, **arguments)
    except Exception as error:
        # The message of a provider may quote an account.
        said = "see the plugin's documentation" if adapter.paid else str(error)
        raise DeviceUnavailableError(
            f"device {str(spec)!r} could not be built: {type(error).__name__}: {said}. "
            f"{adapter.hint or 'Check its options'}, or install it anew: pip install -U {adapter.install}"
        ) from None
    for wrap in adapter.wrappers:
        device = wrap(device, spec)
    if adapter.batches and blocks == 1:
        # Results are torch tensors of double precision already, and one simulation takes all blocks.
        return device
    if adapter.paid:
        device = Guarded(device, str(spec))
    device = DoublePrecision(device)
    return Packed(device, blocks, wires, adapter.in_tuples) if blocks > 1 else device


def blocks_per_circuit(spec: DeviceSpec, wires: int, qubits: int | None = None) -> int:
    """How many blocks share a circuit on a device.

    Args:
        spec: the device; its ``pack`` decides if it is given.
        wires: wires of a block.
        qubits: qubits of the backend that blocks can fill, where there is one.

    Returns:
        a number of at least 1.
    """
    if spec.pack is not None:
        return spec.pack
    available = spec.wires or qubits
    fitting = max(1, available // wires) if available else None
    if spec.is_snapshot:
        return min(SNAPSHOT_PACK, fitting or SNAPSHOT_PACK)
    if spec.adapter.pack is not None:
        return spec.adapter.pack
    return fitting or 1


def plugin_arguments(spec: DeviceSpec) -> dict[str, Any]:
    """What a spec gives to the plugin's device, but for wires and a backend that is found by its name."""
    arguments = dict(spec.options if spec.adapter.arguments is None else spec.adapter.arguments(spec))
    if spec.seed is not None and spec.adapter.seeding == "device":
        arguments["seed"] = spec.seed
    return arguments
