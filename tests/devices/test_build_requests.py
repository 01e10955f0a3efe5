"""Requests that a device cannot meet, and how many blocks share a circuit."""

from __future__ import annotations

import pytest

from hybrid_qproj import DeviceSpec
from hybrid_qproj.devices import ADAPTERS, DeviceUnavailableError, blocks_per_circuit, build, checks, make_device
from hybrid_qproj.devices.build import SNAPSHOT_PACK
from hybrid_qproj.devices.checks import check_known, check_request


def _everything_installed(monkeypatch):
    monkeypatch.setattr(checks, "installed_devices", lambda: list(ADAPTERS))
    monkeypatch.setattr(checks, "version", lambda name: "99.0")


@pytest.mark.parametrize(
    ("device", "plugin", "found", "lowest"),
    [
        ("lightning.qubit", "pennylane-lightning", "0.44.0", "0.45.0"),
        ("braket.local.qubit", "amazon-braket-pennylane-plugin", "1.31.3", "1.36.1"),
        ("qiskit.aer?shots=10", "pennylane-qiskit", "0.9.0", "0.45.0"),
    ],
)
def test_a_plugin_too_old(monkeypatch, device, plugin, found, lowest):
    """Both versions, and the command; 0.9 is older than 0.45."""
    _everything_installed(monkeypatch)
    monkeypatch.setattr(checks, "version", lambda name: found)
    with pytest.raises(DeviceUnavailableError, match=f"{plugin} {found}, which is too old; at least {lowest}.*-U"):
        make_device(DeviceSpec.parse(device), 2)


@pytest.mark.parametrize("device", ["qiskit.aer", "qiskit.basicsim", "qiskit.remote?backend=fake_manila", "my.device"])
def test_shots_are_asked_for(device):
    """The message is a string that works."""
    with pytest.raises(DeviceUnavailableError, match=r"samples: say how many shots, as in '.*shots=4000'"):
        check_request(DeviceSpec.parse(device))


def test_unknown_names():
    """Close ones are guessed; a known device need not be installed."""
    check_known("lightning.gpu")
    with pytest.raises(DeviceUnavailableError, match=r"no device 'qiskit.areo'; did you mean 'qiskit.aer'\?"):
        check_known("qiskit.areo")


def test_most_wires_of_a_simulator(monkeypatch):
    """Refused before the plugin runs out of memory."""
    _everything_installed(monkeypatch)
    with pytest.raises(DeviceUnavailableError, match=r"13 blocks of 2 wires need 26 wires; it has 24\. Lower pack"):
        make_device(DeviceSpec.parse("qiskit.basicsim?shots=10&pack=13"), 2)


@pytest.mark.parametrize(("name", "quoted"), [("ionq.qpu", False), ("lightning.kokkos", True)])
def test_a_constructor_that_fails(monkeypatch, name, quoted):
    """The plugin's words are shown, but not where they may quote an account."""
    _everything_installed(monkeypatch)

    def fail(*_, **__):
        raise ValueError("refused: key-123")

    monkeypatch.setattr(build.qml, "device", fail)
    with pytest.raises(DeviceUnavailableError, match="could not be built: ValueError") as caught:
        make_device(DeviceSpec(name, shots=10, wires=2), 2, allow_paid=True)
    assert ("key-123" in str(caught.value)) is quoted
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("device", "qubits", "blocks"),
    [
        ("default.qubit", None, 1),
        ("default.qubit?pack=7", None, 7),
        ("qiskit.aer?shots=10&wires=9", None, 1),
        ("qiskit.remote?backend=ibm_torino&shots=10", 133, 66),
        ("qiskit.remote?backend=ibm_torino&shots=10&pack=5", 133, 5),
        ("qiskit.remote?backend=ibm_torino&shots=10&wires=20", 133, 10),
        ("qiskit.remote?backend=fake_torino&shots=10", 133, SNAPSHOT_PACK),
        ("qiskit.remote?backend=fake_small&shots=10", 3, 1),
        ("braket.aws.qubit?device_arn=x&shots=10", None, 1),
        ("braket.aws.qubit?device_arn=x&shots=10&wires=11", None, 5),
    ],
)
def test_blocks_per_circuit(device, qubits, blocks):
    """The string decides, then the machine's qubits; a simulated one takes few."""
    assert blocks_per_circuit(DeviceSpec.parse(device), 2, qubits) == blocks
