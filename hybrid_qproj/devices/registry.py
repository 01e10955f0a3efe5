"""Rows of other people's devices."""

from __future__ import annotations

from hybrid_qproj.devices.adapters import Adapter
from hybrid_qproj.devices.errors import DeviceSpecError
from hybrid_qproj.devices.spec import COMMON_KEYS, DeviceSpec
from hybrid_qproj.devices.table import ADAPTERS


def register_device(adapter: Adapter) -> Adapter:
    """Add a row to the table of devices, so that strings, lists, estimates and heads know the device.

    The row is this process's: whoever loads a head that was saved with the device registers it first, worker processes
    too. A variant of a known device is ``dataclasses.replace(ADAPTERS[known], name=..., builds=known, ...)``, which
    keeps the known one's wrappers.

    Args:
        adapter: the row; its wrappers and its compiler are called when circuits are built, in this process.

    Returns:
        the row itself.

    Raises:
        DeviceSpecError: the name is none, another row has it, an option has the name of a key that all devices take,
            seeds would go nowhere, or a string of its trials cannot be read.

    Examples:
        >>> from hybrid_qproj import QuantumProjection
        >>> from hybrid_qproj.devices import ADAPTERS, Adapter, register_device
        >>> row = Adapter("mine.exact", "pennylane", builds="default.qubit", batches=True, exact=True)
        >>> _ = register_device(row)
        >>> QuantumProjection(8, 2, device="mine.exact").device.name
        'mine.exact'
        >>> del ADAPTERS["mine.exact"]
    """
    DeviceSpec(adapter.name)
    taken = [key for key in adapter.options if key in ("name", *COMMON_KEYS)]
    if taken:
        raise DeviceSpecError(
            f"the row of device {adapter.name!r} declares the option {taken[0]!r}, which all devices take; "
            f"expected keys other than name, {', '.join(COMMON_KEYS)}"
        )
    if adapter.seeding in ("circuit", "backend") and not adapter.wrappers:
        raise DeviceSpecError(
            f"the row of device {adapter.name!r} says seeding={adapter.seeding!r} and names no wrapper that gives "
            "seeds; add one to wrappers, or say seeding='device' where the constructor takes seed"
        )
    if ADAPTERS.get(adapter.name, adapter) != adapter:
        raise DeviceSpecError(
            f"device {adapter.name!r} has a row already; give yours another name, and the device that it builds in "
            f"builds={adapter.built!r}"
        )
    known = adapter.name in ADAPTERS
    ADAPTERS[adapter.name] = adapter
    try:
        for trial in (*adapter.trials, *adapter.slow_trials):
            DeviceSpec.parse(f"{adapter.name}?{trial}" if trial else adapter.name)
    except DeviceSpecError:
        if not known:
            del ADAPTERS[adapter.name]
        raise
    return adapter
