"""Sizes are refused before anything is allocated."""

from __future__ import annotations

import pytest

from hybrid_qproj import DeviceSpec, QuantumProjection
from hybrid_qproj.devices import DeviceUnavailableError, build, check_usable, make_device
from hybrid_qproj.estimate import estimate

LARGE = ["lightning.qubit?wires=40", "default.qubit?pack=20", "default.mixed?wires=20", "default.mixed?pack=1000"]


@pytest.mark.parametrize("device", LARGE)
def test_states_that_fit_nowhere(monkeypatch, device):
    """By all who look before work begins, and by the one who builds."""
    monkeypatch.setattr(build.qml, "device", lambda *_, **__: pytest.fail("built"))
    spec = DeviceSpec.parse(device)
    for ask in (check_usable, lambda s: make_device(s, 2), lambda s: estimate(QuantumProjection(4, 2), s)):
        with pytest.raises(DeviceUnavailableError, match=r"wires is over 1 GiB\. Lower pack or wires"):
            ask(spec)


def test_states_that_fit():
    """26 wires of a state, 13 of a density matrix; a machine has as many as it has."""
    for device in ("lightning.qubit?wires=26", "default.mixed?wires=13"):
        check_usable(DeviceSpec.parse(device))
    assert estimate(QuantumProjection(4, 2), "ionq.qpu?shots=3&wires=100").runs


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("nope", "no device 'nope'"),
        ("defualt.qubit", "did you mean 'default.qubit'"),
        ("qiskit.aer", "say how many shots"),
        ("default.qubit?noise=readout:0.1", r"default\.mixed only"),
        ("null.qubit?shots=3&seed=1", "takes no seed"),
        ("qiskit.remote?shots=3", "needs a backend"),
    ],
)
def test_what_is_seen_without_building(device, message):
    """Whatever a string says wrong."""
    with pytest.raises(DeviceUnavailableError, match=message):
        check_usable(DeviceSpec.parse(device))


def test_a_snapshot_that_does_not_exist():
    """Snapshots are listed without contacting anybody."""
    pytest.importorskip("qiskit_ibm_runtime", reason="needs the extra 'qiskit'")
    with pytest.raises(DeviceUnavailableError, match="did you mean 'fake_manila'"):
        check_usable(DeviceSpec.parse("qiskit.remote?backend=fake_manilla&shots=10"))
