"""A pytest plugin: PennyLane's tests of devices on a device string that goes by the name of the device inside.

Some of the tests ask what a device is called, and expect a density matrix of one that is called mixed.
"""

from __future__ import annotations

import pytest

from hybrid_qproj.devices.plugin import StringDevice
from hybrid_qproj.devices.wrappers.delegate import Delegate


def pytest_configure(config: pytest.Config) -> None:
    """Name the device as its wrappers do."""
    StringDevice.name = Delegate.name
