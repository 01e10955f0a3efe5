"""A pytest plugin: as `benchmarks.bare_device`, but the device is not seen to be one of PennyLane's old interface.

Of an old device PennyLane's tests ask what gates it lists, and skip those that it does not. In an empty wrapper the
same device is tested on all of them: what fails then is not the fault of any other wrapper.
"""

from __future__ import annotations

from typing import Any

import pennylane as qml
import pytest

from benchmarks import bare_device
from hybrid_qproj.devices.wrappers.delegate import Delegate


class Empty(Delegate):
    """Hands on everything, and the shots that the tests give to a device."""

    @property
    def shots(self) -> Any:
        """Those of the inner device."""
        return self.inner.shots


def pytest_configure(config: pytest.Config) -> None:
    """Wrap whatever device is made."""
    bare_device.pytest_configure(config)
    build = qml.device
    qml.device = lambda *arguments, **keys: Empty(build(*arguments, **keys))
