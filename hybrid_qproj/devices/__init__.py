"""Devices by string: the grammar, the table of what differs between them, and how one is built."""

from hybrid_qproj.devices.adapters import ADAPTERS, Adapter, adapter_for
from hybrid_qproj.devices.build import DeviceUnavailableError, installed_devices, make_device
from hybrid_qproj.devices.spec import DeviceSpec, DeviceSpecError

__all__ = [
    "ADAPTERS",
    "Adapter",
    "DeviceSpec",
    "DeviceSpecError",
    "DeviceUnavailableError",
    "adapter_for",
    "installed_devices",
    "make_device",
]
