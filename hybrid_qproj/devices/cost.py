"""What can cost money, and the one gate through which every run on such a device passes.

`make_device` asks here before it builds anything: even the constructors of some plugins contact a provider with the
user's credentials. Consent is an argument of the call and nothing else: no file, no environment variable and no global
gives it, and pickles and copies of a head come without it.
"""

from __future__ import annotations

from hybrid_qproj.devices.errors import PaidDeviceError
from hybrid_qproj.devices.spec import DeviceSpec
from hybrid_qproj.devices.table import ADAPTERS


def can_cost(spec: DeviceSpec) -> bool:
    """Whether a run on a device can cost money, or needs somebody's account.

    Remote machines and simulators can; IBM's calibration snapshots (``qiskit.remote?backend=fake_...``) run here. Of a
    plugin that `ADAPTERS` does not know it is assumed, since nobody said that it runs here.

    Args:
        spec: the device.
    """
    return spec.adapter.paid and not spec.is_snapshot


def check_allowed(spec: DeviceSpec, allow_paid: bool, work: str = "") -> None:
    """Refuse a device that can cost money unless the caller has said that it may.

    Args:
        spec: the device.
        allow_paid: what the caller said.
        work: what would run, in words, for the message.

    Raises:
        PaidDeviceError: it can cost money and is not allowed.
    """
    if allow_paid or not can_cost(spec):
        return
    why = "can cost money" if spec.name in ADAPTERS else "may cost money, since nobody said that its plugin runs here"
    raise PaidDeviceError(
        f"device {str(spec)!r} {why}. {work or _unknown_work(spec)}; nothing was sent. Add --yes (allow_paid=True) to "
        "allow it, or name another one by --device (quantum_device=..., head.to_device(...)), such as 'default.qubit'"
    )


def count(circuits: int, shots: int | None) -> str:
    """So many circuits, of so many shots, in words."""
    if shots is None:
        return f"{circuits:,} circuits were to run"
    return f"{circuits:,} circuits of {shots:,} shots were to run, {circuits * shots:,} shots in all"


def _unknown_work(spec: DeviceSpec) -> str:
    return "Circuits" + (f" of {spec.shots:,} shots" if spec.shots else "") + " were to run"
