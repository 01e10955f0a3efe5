"""Devices by string: the grammar, the table of what differs between them, and how one is built."""

from hybrid_qproj.devices.adapters import Adapter, Asked, Backends, Compiled
from hybrid_qproj.devices.build import blocks_per_circuit, make_device
from hybrid_qproj.devices.checks import check_usable, installed_devices
from hybrid_qproj.devices.cost import can_cost
from hybrid_qproj.devices.errors import DeviceRunError, DeviceSpecError, DeviceUnavailableError, PaidDeviceError
from hybrid_qproj.devices.packing import side_by_side
from hybrid_qproj.devices.registry import register_device
from hybrid_qproj.devices.spec import DeviceSpec
from hybrid_qproj.devices.table import ADAPTERS, adapter_for

__all__ = [
    "ADAPTERS",
    "Adapter",
    "Asked",
    "Backends",
    "Compiled",
    "DeviceRunError",
    "DeviceSpec",
    "DeviceSpecError",
    "DeviceUnavailableError",
    "PaidDeviceError",
    "adapter_for",
    "blocks_per_circuit",
    "can_cost",
    "check_usable",
    "installed_devices",
    "make_device",
    "register_device",
    "side_by_side",
]
