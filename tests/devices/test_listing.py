"""The table of known devices."""

from __future__ import annotations

import pytest

from hybrid_qproj.devices import ADAPTERS, DeviceUnavailableError, listing
from hybrid_qproj.devices.listing import list_devices, other_devices


@pytest.fixture
def built(monkeypatch):
    """Everything is installed; what is built is recorded instead."""
    specs = []
    monkeypatch.setattr(listing, "installed_devices", lambda: [*ADAPTERS, "my.device"])
    monkeypatch.setattr(listing, "make_device", lambda spec, wires: specs.append(spec))
    return specs


def test_a_row_for_every_device():
    """In the order of the table, here and now."""
    rows = {row.name: row for row in list_devices()}
    assert list(rows) == list(ADAPTERS)
    default, lightning = rows["default.qubit"], rows["lightning.qubit"]
    assert default.installed
    assert default.usable is True
    assert (default.results, default.batches, default.seedable, default.paid) == ("exact", True, "yes", False)
    assert (lightning.batches, lightning.install) == (False, "pip install pennylane-lightning")


def test_what_devices_can_do(built):
    """Seeds, exactness and prices are those of the adapters."""
    rows = {row.name: row for row in list_devices()}
    assert rows["qiskit.aer"].exact_backends == ("aer_simulator_statevector",)
    assert rows["qiskit.aer"].results == "sampled"
    assert rows["cirq.simulator"].seedable == "no"
    assert rows["qiskit.remote"].seedable == "snapshots only"
    assert {row.name for row in rows.values() if row.paid} == {
        "qiskit.remote",
        "braket.aws.qubit",
        "ionq.simulator",
        "ionq.qpu",
    }


def test_nothing_remote_is_built(built):
    """Those are reported from their installation alone, with what they need."""
    rows = list_devices()
    assert not {spec.name for spec in built} & {row.name for row in rows if row.paid}
    for row in rows:
        assert (row.usable is None) == row.paid
        assert row.reason.startswith("needs ") == row.paid
    assert "backend=fake_" in next(row.reason for row in rows if row.name == "qiskit.remote")


def test_sampling_devices_are_built_with_shots(built):
    """Else they would be refused."""
    list_devices()
    assert {spec.name for spec in built if spec.shots} == {"qiskit.aer", "qiskit.basicsim"}


def test_not_installed(monkeypatch):
    """Says so, and how to install it."""
    monkeypatch.setattr(listing, "installed_devices", lambda: ["default.qubit"])
    row = next(row for row in list_devices() if row.name == "lightning.gpu")
    assert (row.installed, row.usable, row.reason) == (False, False, "not installed")
    assert row.install == "pip install 'hybrid-qproj[gpu]'"


def test_installed_but_not_usable(built, monkeypatch):
    """The reason is the error of building it."""

    def fail(spec, wires):
        raise DeviceUnavailableError(f"{spec.name}: no GPU")

    monkeypatch.setattr(listing, "make_device", fail)
    row = next(row for row in list_devices() if row.name == "lightning.gpu")
    assert (row.installed, row.usable, row.reason) == (True, False, "lightning.gpu: no GPU")


def test_other_devices(built):
    """Installed ones that the table does not know."""
    assert other_devices() == ["my.device"]
