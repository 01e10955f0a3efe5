"""A part of PennyLane's own tests of devices, over a device string; `python -m benchmarks.device_tests` runs all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pennylane.devices.tests import get_device_tests

FILES = ("test_properties.py", "test_wires.py", "test_return_system.py", "test_tracker.py", "test_measurements.py")


@pytest.mark.parametrize(
    ("string", "files", "least"), [("lightning.qubit", FILES, 60), ("default.mixed", ("test_measurements.py",), 50)]
)
def test_pennylanes_tests(string, files, least):
    """In a process of its own: PennyLane's conftest has options of the same names as others."""
    for plugin in ("flaky", "pytest_mock"):
        pytest.importorskip(plugin, reason="PennyLane's tests of devices need it")
    # PennyLane first: its conftest puts the folder it lies in before the path on which devices are looked for.
    loaded = ["-p", "pennylane", "-p", "no:cacheprovider", "-p", "no:xdist"]
    options = ["--device", "hybrid_qproj", "--device-kwargs", f"string={string}", "--skip-ops", "--no-flaky-report"]
    places = [str(Path(get_device_tests(), file)) for file in files]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "ignore", "--tb=short", *loaded, *places, *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    passed = int(done.stdout.rpartition(" passed")[0].split()[-1])
    assert passed >= least
