"""What can cost money, and the gate in front of it."""

from __future__ import annotations

import pytest

from hybrid_qproj import DeviceSpec
from hybrid_qproj.devices import (
    ADAPTERS,
    Adapter,
    DeviceSpecError,
    DeviceUnavailableError,
    PaidDeviceError,
    backends,
    build,
    can_cost,
    checks,
)
from hybrid_qproj.devices.cost import check_allowed
from hybrid_qproj.errors import HybridQprojError


@pytest.mark.parametrize(
    ("device", "costs"),
    [
        ("default.qubit", False),
        ("lightning.qubit?shots=10", False),
        ("qiskit.aer?backend=aer_simulator_statevector", False),
        ("braket.local.qubit?backend=braket_dm", False),
        ("null.qubit", False),
        ("qiskit.remote?backend=fake_torino&shots=10", False),
        ("qiskit.remote?backend=ibm_torino&shots=10", True),
        ("qiskit.remote?backend=ibmq_fake_torino&shots=10", True),
        ("qiskit.remote?backend=least_busy&shots=10", True),
        ("qiskit.remote?backend=aer_simulator&shots=10", True),
        ("qiskit.remote?shots=10", True),
        ("braket.aws.qubit?device_arn=arn:aws:braket:::device/quantum-simulator/amazon/sv1&shots=10", True),
        ("braket.aws.qubit", True),
        ("ionq.simulator?shots=10", True),
        ("ionq.qpu?backend=fake_torino&shots=10", True),
        ("braket.aws.ahs", True),
        ("Default.Qubit", True),
        ("somebodys.device", True),
    ],
)
def test_what_can_cost(device, costs):
    """Only what is known to run here is free; a snapshot is one of IBM's device alone."""
    assert can_cost(DeviceSpec.parse(device)) is costs


def test_a_snapshot_is_of_ibm_alone():
    """Another device's backend of such a name may be a machine."""
    assert DeviceSpec.parse("qiskit.remote?backend=fake_torino").is_snapshot
    assert not DeviceSpec.parse("ionq.qpu?backend=fake_torino").is_snapshot


def test_the_refusal():
    """The device, what would run, and both ways on; a class of its own, which no fallback catches."""
    spec = DeviceSpec.parse("braket.aws.qubit?device_arn=arn:x&shots=100")
    with pytest.raises(PaidDeviceError) as caught:
        check_allowed(spec, allow_paid=False, work="7 circuits were to run")
    message = str(caught.value)
    for part in (str(spec), "7 circuits were to run", "nothing was sent", "--yes", "allow_paid=True", "default.qubit"):
        assert part in message
    assert "\n" not in message
    assert isinstance(caught.value, (HybridQprojError, RuntimeError))
    assert not isinstance(caught.value, (DeviceUnavailableError, ValueError))
    check_allowed(spec, allow_paid=True)
    check_allowed(DeviceSpec("default.qubit"), allow_paid=False)


@pytest.mark.parametrize(
    "device",
    [
        "ionq.simulator?shots=10",
        "braket.aws.qubit",
        "qiskit.remote?backend=ibm_torino&shots=10",
        "somebodys.device?shots=10",
    ],
)
def test_nothing_is_built_before_consent(monkeypatch, device):
    """The gate is in front of the constructor; with consent the constructor is reached."""
    built = []

    def construct(name, **options):
        built.append(name)
        raise ValueError("nobody is at home")

    monkeypatch.setattr(checks, "installed_devices", lambda: [*ADAPTERS, "somebodys.device"])
    monkeypatch.setattr(checks, "version", lambda name: "99.0")
    monkeypatch.setattr(build.qml, "device", construct)
    monkeypatch.setattr(backends, "ibm_backend", lambda name, wires: construct(name))
    spec = DeviceSpec.parse(device)
    with pytest.raises(PaidDeviceError):
        build.make_device(spec, 2)
    assert built == []
    with pytest.raises((DeviceUnavailableError, ValueError)):
        build.make_device(spec.replace(shots=10), 2, allow_paid=True)
    assert len(built) == 1


def test_a_row_declares_a_plugin(monkeypatch):
    """Who installs a plugin says what it takes and that it runs here."""
    row = Adapter(
        "somebodys.device", "some-plugin", options={"max_workers": ADAPTERS["default.qubit"].options["max_workers"]}
    )
    assert can_cost(DeviceSpec.parse("somebodys.device?shots=3"))
    monkeypatch.setitem(ADAPTERS, row.name, row)
    assert not can_cost(DeviceSpec.parse("somebodys.device?shots=3&max_workers=2"))


@pytest.mark.parametrize("name", ["FAKE_TORINO", "Fake_torino", "FakeTorino", " fake_torino", "fake_torino%20"])
def test_a_snapshot_spelt_otherwise(name):
    """Neither a snapshot nor, by accident, a name to ask IBM for."""
    with pytest.raises(DeviceSpecError, match="in lower case"):
        DeviceSpec.parse(f"qiskit.remote?backend={name}&shots=10")
