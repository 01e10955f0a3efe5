"""`DeviceSpec` to a live PennyLane device, with errors that say what to install or to change."""

from __future__ import annotations

import difflib
from importlib.metadata import entry_points
from typing import Any

import numpy as np
import pennylane as qml

from hybrid_qproj.devices.adapters import ADAPTERS, Adapter, adapter_for
from hybrid_qproj.devices.precision import DoublePrecision
from hybrid_qproj.devices.spec import COMMON_KEYS, DeviceSpec

_COMPLEX = {"complex64": np.complex64, "complex128": np.complex128}


class DeviceUnavailableError(RuntimeError):
    """The device of a spec cannot be built here: unknown, not installed, or refused by its plugin."""


def installed_devices() -> list[str]:
    """Names of the devices whose plugins are installed, without importing any plugin."""
    return sorted({point.name for point in entry_points(group="pennylane.plugins")})


def make_device(spec: DeviceSpec, wires: int) -> qml.devices.Device:
    """Build the device of a spec.

    Args:
        spec: what to build; its shots belong to the QNode, not to the device.
        wires: wires the circuit needs.

    Returns:
        the live device.

    Raises:
        DeviceUnavailableError: the name is unknown, the plugin missing or too old, an option not known, or
            ``wires`` exceeds the spec's.
    """
    adapter = adapter_for(spec.name)
    if spec.name not in installed_devices():
        raise DeviceUnavailableError(_unknown(spec))
    if spec.wires is not None and spec.wires < wires:
        raise DeviceUnavailableError(f"device {str(spec)!r} has {spec.wires} wires; the circuit needs {wires}")
    try:
        device = qml.device(spec.name, wires=spec.wires or wires, **_options(spec, adapter))
    except Exception as error:
        raise DeviceUnavailableError(
            f"device {str(spec)!r} could not be built: {type(error).__name__}: {error}. "
            f"Check its options, or install it anew: pip install -U {adapter.install}"
        ) from error
    # default.qubit and default.mixed return torch tensors of double precision already.
    return device if adapter.batches else DoublePrecision(device)


def _unknown(spec: DeviceSpec) -> str:
    if spec.name in ADAPTERS:
        return f"device {spec.name!r} is not installed: pip install {ADAPTERS[spec.name].install}"
    close = difflib.get_close_matches(spec.name, {*ADAPTERS, *installed_devices()}, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return (
        f"no device {spec.name!r}{hint} Known: {', '.join(ADAPTERS)}; other PennyLane plugins work once they "
        "are installed"
    )


def _options(spec: DeviceSpec, adapter: Adapter) -> dict[str, Any]:
    options = dict(spec.options)
    if spec.name in ADAPTERS:
        unknown = [key for key in options if key not in adapter.options]
        if unknown:
            raise DeviceUnavailableError(
                f"device {spec.name!r} takes no {', '.join(map(repr, unknown))}; keys that exist: "
                f"{', '.join((*COMMON_KEYS, *adapter.options))}"
            )
    if "c_dtype" in options:
        # lightning accepts any object here at construction and fails, or worse, later.
        if options["c_dtype"] not in _COMPLEX:
            raise DeviceUnavailableError(
                f"c_dtype={options['c_dtype']!r} for {spec.name!r}: expected one of {', '.join(_COMPLEX)}"
            )
        options["c_dtype"] = _COMPLEX[options["c_dtype"]]
    if spec.seed is not None:
        if not adapter.seedable:
            raise DeviceUnavailableError(f"device {spec.name!r} takes no seed: leave out 'seed={spec.seed}'")
        options["seed"] = spec.seed
    return options
