"""Devices by string: the grammar, the table of what differs between them, and how one is built."""

from hybrid_qproj.devices.adapters import ADAPTERS, Adapter, adapter_for
from hybrid_qproj.devices.build import blocks_per_circuit, make_device
from hybrid_qproj.devices.checks import can_cost, installed_devices
from hybrid_qproj.devices.errors import DeviceRunError, DeviceUnavailableError
from hybrid_qproj.devices.packing import side_by_side
from hybrid_qproj.devices.spec import DeviceSpec, DeviceSpecError

__all__ = [
    "ADAPTERS",
    "Adapter",
    "DeviceRunError",
    "DeviceSpec",
    "DeviceSpecError",
    "DeviceUnavailableError",
    "adapter_for",
    "blocks_per_circuit",
    "can_cost",
    "installed_devices",
    "make_device",
    "side_by_side",
]
