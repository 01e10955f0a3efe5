"""A pytest plugin: PennyLane's tests of devices on what a device string builds, without this package's wrappers.

``pytest -p benchmarks.bare_device FOLDER --device hybrid_qproj --device-kwargs string=cirq.simulator`` tests the
plugin's own device, made with the arguments that the string gives it.
"""

from __future__ import annotations

from typing import Any

import pytest

from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.devices.build import plugin_arguments
from hybrid_qproj.devices.cost import check_allowed

WIRES = 5
"""As many as the snapshot that is tested has."""


def pytest_configure(config: pytest.Config) -> None:
    """Put the plugin's device where the string was."""
    table = dict(config.option.device_kwargs)
    spec = DeviceSpec.from_table({**DeviceSpec.parse(table.pop("string")).table(), **table})
    check_allowed(spec, allow_paid=False)
    arguments: dict[str, Any] = plugin_arguments(spec)
    if spec.adapter.backends is not None:
        arguments["backend"] = spec.adapter.backends.find(spec.option("backend"), WIRES)
    config.option.device = spec.adapter.built
    config.option.device_kwargs = arguments
