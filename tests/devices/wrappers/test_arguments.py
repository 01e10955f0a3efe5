"""What constructors are given in place of a string's options, each plugin in its own form."""

from __future__ import annotations

import numpy as np
import pytest

from hybrid_qproj import DeviceSpec
from hybrid_qproj.devices import make_device
from hybrid_qproj.devices.wrappers.seeding import circuit_seed


def _arguments(device):
    spec = DeviceSpec.parse(device)
    return dict(spec.adapter.arguments(spec))


@pytest.mark.parametrize(
    ("device", "arguments"),
    [
        ("lightning.qubit", {}),
        ("lightning.qubit?c_dtype=complex64&batch_obs=true", {"c_dtype": np.complex64, "batch_obs": True}),
        ("lightning.gpu?c_dtype=complex128", {"c_dtype": np.complex128}),
        ("braket.aws.qubit?device_arn=a&parallel=true", {"device_arn": "a", "parallel": True}),
        ("braket.aws.qubit?s3_destination_folder=bucket/a/b", {"s3_destination_folder": ("bucket", "a/b")}),
        ("qiskit.remote?backend=fake_manila&shots=9", {"backend": "fake_manila"}),
        (
            "qiskit.remote?backend=fake_manila&shots=9&seed=7",
            {"backend": "fake_manila", "seed_transpiler": circuit_seed(7, 0)},
        ),
    ],
)
def test_forms(device, arguments):
    """Types of NumPy, a pair, a seed of the compiler."""
    assert _arguments(device) == arguments


def test_cirq_computes_in_double_precision():
    """Its plugin would not."""
    cirq = pytest.importorskip("cirq", reason="needs the extra 'cirq'")
    simulator = _arguments("cirq.simulator")["simulator"]
    assert isinstance(simulator, cirq.Simulator)
    assert simulator._dtype == np.complex128


def test_single_precision_arrives():
    """In the device that is built."""
    device = make_device(DeviceSpec.parse("lightning.qubit?c_dtype=complex64"), 2)
    assert device.inner.c_dtype == np.complex64
