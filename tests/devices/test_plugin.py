"""The device of a string under PennyLane's own name for it: QNodes of any kind, and nothing that costs money."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pennylane as qml
import pytest
import scipy.sparse
import torch

from hybrid_qproj import QuantumProjection, torch_layer
from hybrid_qproj.devices import DeviceSpecError, DeviceUnavailableError, PaidDeviceError, installed_devices


def _device(string, wires=2, **keys):
    return qml.device("hybrid_qproj", wires=wires, string=string, **keys)


def test_importing_pennylane_does_not_import_it():
    """Its entry point is read, and loaded by whoever asks for the device."""
    code = (
        "import sys, pennylane as qml; assert 'hybrid_qproj' not in sys.modules and 'torch' not in sys.modules;"
        "print(qml.device('hybrid_qproj', wires=2, string='lightning.qubit'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "<hybrid_qproj device 'lightning.qubit' (wires=2)>\n"


def test_shots_and_keys():
    """From the string, from the argument that PennyLane's tests give, or a key at a time."""
    assert _device("default.qubit").shots == qml.measurements.Shots(None)
    for device in (
        _device("default.qubit?shots=50&seed=1"),
        _device("default.qubit?shots=90&seed=1", shots=50),
        _device("default.qubit", shots=50, seed=1),
    ):
        assert device.spec.table() == {"name": "default.qubit", "shots": 50, "seed": 1}
        circuit = qml.QNode(lambda: qml.Hadamard(0) and qml.sample(wires=0), device)
        assert circuit().shape == (50, 1)
    assert _device("default.qubit", shots=None).spec.shots is None


@pytest.mark.parametrize(
    "string", ["default.qubit", "default.mixed", "lightning.qubit", "default.mixed?noise=readout:0"]
)
def test_any_measurement(string):
    """Complex states, whole samples, variances: as PennyLane's own device of that name."""
    name = string.partition("?")[0]
    results = []
    for device in (_device(string, wires=["a", 7]), qml.device(name, wires=["a", 7])):

        @qml.qnode(device)
        def circuit(angle):
            qml.RX(angle, wires="a")
            qml.CNOT(["a", 7])
            return qml.expval(qml.Z(7)), qml.var(qml.Z("a")), qml.probs(wires=[7]), qml.density_matrix(["a"])

        results.append(circuit(0.4))
    for ours, theirs in zip(*results, strict=True):
        assert qml.math.allclose(ours, theirs)
        assert ours.dtype == np.asarray(theirs).dtype


def test_a_state_keeps_its_phases():
    """Double precision of a complex number is complex."""
    circuit = qml.QNode(lambda: qml.RX(0.4, 0) and qml.state(), _device("lightning.qubit", 1))
    assert circuit().imag.tolist() == pytest.approx([0.0, -0.19866933])
    assert circuit().dtype == complex


def test_samples_stay_whole():
    """And counts are counts."""
    device = _device("lightning.qubit?shots=10&seed=1", 1)
    assert qml.QNode(lambda: qml.sample(wires=0), device)().dtype.kind == "i"
    assert qml.QNode(lambda: qml.counts(wires=0), device)() == {"0": 10}


@pytest.mark.parametrize("noise", ["depolarizing:0.03", "readout:0.05", "depolarizing:0.03,readout:0.05"])
def test_noise_is_that_of_a_head(noise):
    """The device has what a layer adds to its QNode."""
    layer = torch_layer("rotor", device=f"default.mixed?noise={noise}", init="random").double()
    angles = torch.tensor([0.4, 1.1], dtype=torch.float64)
    device = _device("default.mixed", noise=noise)
    circuit = qml.QNode(layer.qnode.func, device, interface="torch")
    weights = layer.weights[0].detach().requires_grad_()
    value = circuit(angles, weights)
    torch.testing.assert_close(value, layer(angles)[0])
    value.backward()
    layer(angles).sum().backward()
    torch.testing.assert_close(weights.grad, layer.weights.grad[0])


def test_readout_in_every_basis():
    """A flip of probability p takes 1 - 2p of each measured Pauli, whichever it is."""
    p, keeps = 0.1, 0.8
    device = _device(f"default.mixed?noise=readout:{p}", 3)

    @qml.qnode(device)
    def circuit():
        qml.Hadamard(0)
        qml.RX(-torch.pi / 2, wires=1)
        return (
            qml.expval(qml.X(0)),
            qml.expval(qml.X(0) @ qml.Y(1) @ qml.Z(2)),
            qml.expval(0.5 * qml.X(0) + 2.0 * qml.Y(1) @ qml.Z(2) + 3.0 * qml.Identity(0)),
            qml.var(qml.Z(2)),
            qml.probs(),
        )

    one, three, terms, variance, probabilities = circuit()
    assert (one, three) == pytest.approx((keeps, keeps**3))
    assert terms == pytest.approx(0.5 * keeps + 2.0 * keeps**2 + 3.0)
    assert variance == pytest.approx(1 - keeps**2)
    assert probabilities.reshape(4, 2).sum(0) == pytest.approx([1 - p, p])


def test_readout_of_samples():
    """Shots are flipped too."""
    device = _device("default.mixed?noise=readout:0.1&shots=4000&seed=1", 2)
    counts, mean = qml.QNode(lambda: (qml.counts(wires=0), qml.expval(qml.Z(0))), device)()
    assert counts["1"] / 4000 == pytest.approx(0.1, abs=0.03)
    assert mean == pytest.approx(0.8, abs=0.06)
    plus = qml.QNode(lambda: qml.Hadamard(0) and qml.counts(qml.X(0)), device)()
    assert plus[-1.0] / 4000 == pytest.approx(0.1, abs=0.03)


def test_a_state_has_no_readout():
    """Refused, not left out."""
    with pytest.raises(RuntimeError, match="StateMP on a device with readout errors: nothing is read by bits"):
        qml.QNode(qml.state, _device("default.mixed?noise=readout:0.1"))()
    sparse = qml.SparseHamiltonian(scipy.sparse.eye(4, format="csr"), wires=[0, 1])
    with pytest.raises(RuntimeError, match="ExpectationMP on a device with readout errors"):
        qml.QNode(lambda: qml.expval(sparse), _device("default.mixed?noise=readout:0.1"))()


PAID = "ionq.qpu?shots=10", "qiskit.remote?backend=ibm_torino&shots=10", "braket.local.ahs?shots=10"


@pytest.mark.parametrize("string", PAID)
def test_what_can_cost_money_is_refused(string, tmp_path):
    """By no argument, and by no file that PennyLane reads arguments from, is it allowed."""
    if string.partition("?")[0] not in (*installed_devices(), "ionq.qpu", "qiskit.remote"):
        pytest.skip("an installed plugin without a row")
    with pytest.raises(PaidDeviceError, match="nothing was sent"):
        _device(string)
    with pytest.raises(DeviceSpecError, match="takes no allow_paid"):
        _device(string, allow_paid=True)
    file = tmp_path / "config.toml"
    file.write_text('[main]\nallow_paid = true\n["hybrid_qproj.global"]\nallow_paid = true\n')
    with pytest.raises(DeviceSpecError, match="takes no allow_paid"):
        _device(string, config=qml.Configuration(str(file)))


@pytest.mark.parametrize(
    ("string", "keys", "message"),
    [
        ("default.qubit?pack=2", {}, "pack=... is for heads"),
        ("default.qubit?mode=direct", {}, "mode=... is for heads"),
        ("default.qubit", {"diff_method": "adjoint"}, "diff_method=... is for heads"),
        ("default.qubit?seed=1", {"seed": 2}, "'seed' is in the string and an argument too"),
        ("default.qubit", {"colour": "red"}, "keys that exist"),
        ("default.qubit", {"shots": 0}, "expected a whole number >= 1"),
        ("default.qubit?", {}, "nothing follows"),
    ],
)
def test_refusals(string, keys, message):
    """What a string says of heads, and what no string says."""
    with pytest.raises(DeviceSpecError, match=message):
        _device(string, **keys)


def test_it_leads_nowhere_but_to_a_string():
    """It is no device of the table, so that no head runs on a string within a string."""
    assert "hybrid_qproj" not in installed_devices()
    with pytest.raises(DeviceUnavailableError, match="no device 'hybrid_qproj'"):
        _device("hybrid_qproj?shots=10")
    with pytest.raises(DeviceUnavailableError, match="no device 'hybrid_qproj'"):
        QuantumProjection(4, 2, device="hybrid_qproj")
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'wires'"):
        qml.device("hybrid_qproj", string="default.qubit")


@pytest.mark.slow
def test_what_no_estimator_gives():
    """A snapshot of a machine gives probabilities and variances too, by the plugin's own jobs."""
    pytest.importorskip("qiskit_ibm_runtime", reason="needs the extra 'qiskit'")
    device = _device("qiskit.remote?backend=fake_manila&shots=2000&seed=1")
    circuit = qml.QNode(lambda: qml.X(0) and (qml.probs(wires=0), qml.expval(qml.Z(1)), qml.var(qml.Z(0))), device)
    probabilities, value, variance = circuit()
    assert probabilities[1] > 0.9 < value
    assert 0 <= variance < 0.4
