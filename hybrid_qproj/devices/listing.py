"""Which known devices can be used here, and what each of them can do."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from hybrid_qproj._util.extras import MissingExtraError
from hybrid_qproj.devices.adapters import Adapter
from hybrid_qproj.devices.build import make_device
from hybrid_qproj.devices.checks import BLOCK_WIRES, installed_devices
from hybrid_qproj.devices.errors import DeviceUnavailableError
from hybrid_qproj.devices.spec import DeviceSpec
from hybrid_qproj.devices.table import ADAPTERS


@dataclass(frozen=True)
class DeviceRow:
    """A known device, as it stands on this machine.

    Args:
        name: PennyLane device name.
        installed: whether its plugin is installed.
        usable: whether it could be built just now; None for a remote one that is installed, which is not tried.
        reason: why it is not usable, or what a remote one needs; empty where there is nothing to say.
        results: ``"exact"`` where no shots are needed, or ``"sampled"``.
        exact_backends: values of the option ``backend`` that make a sampled device exact.
        batches: whether one simulation takes a whole batch.
        seedable: ``"yes"``, ``"no"``, or ``"snapshots only"``.
        paid: whether runs can cost money.
        install: the command that installs it.
    """

    name: str
    installed: bool
    usable: bool | None
    reason: str
    results: str
    exact_backends: tuple[str, ...]
    batches: bool
    seedable: str
    paid: bool
    install: str


def list_devices() -> list[DeviceRow]:
    """Every device of the table. Local ones are built to see whether that works; nothing runs and nothing is sent.

    Returns:
        a row a device, in the order of the table.
    """
    installed = set(installed_devices())
    return [_row(adapter, adapter.built in installed) for adapter in ADAPTERS.values()]


def other_devices() -> list[str]:
    """Names of installed PennyLane devices that the table does not know; they run with safe settings."""
    return [name for name in installed_devices() if name not in ADAPTERS]


def _row(adapter: Adapter, installed: bool) -> DeviceRow:
    usable, reason = _usable(adapter) if installed else (False, "not installed")
    return DeviceRow(
        adapter.name,
        installed,
        usable,
        reason,
        "exact" if adapter.exact else "sampled",
        adapter.exact_backends,
        adapter.batches,
        {None: "no", "backend": "snapshots only"}.get(adapter.seeding, "yes"),
        adapter.paid,
        f"pip install {adapter.install}",
    )


def _usable(adapter: Adapter) -> tuple[bool | None, str]:
    if adapter.paid:
        # Building one may look up an account.
        return None, f"needs {adapter.needs}"
    try:
        # What a plugin's constructor warns of is told in its error, if it matters.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            make_device(DeviceSpec(adapter.name, shots=None if adapter.exact else 1), BLOCK_WIRES)
    except (DeviceUnavailableError, MissingExtraError) as error:
        return False, str(error)
    return True, ""
