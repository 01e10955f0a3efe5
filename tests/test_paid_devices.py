"""A stand-in provider that must not be touched, behind every public entry point that runs circuits."""

from __future__ import annotations

import copy
import inspect
import io
import json
import pickle
import warnings
from importlib.util import find_spec

import pennylane as qml
import pytest
import torch

import hybrid_qproj
from hybrid_qproj import QuantumProjection, torch_layer
from hybrid_qproj.calibration import calibrate
from hybrid_qproj.devices import ADAPTERS, DeviceUnavailableError, PaidDeviceError, backends, checks
from hybrid_qproj.estimate import check_runs, estimate
from hybrid_qproj.fitting.weights import correct_weights
from hybrid_qproj.heads.checkpoint import BINDING, CheckpointError
from hybrid_qproj.heads.coherent import CoherentProjection
from hybrid_qproj.heads.registry import load_head

PAID = [
    "braket.aws.qubit?device_arn=arn:aws:braket:::device/quantum-simulator/amazon/sv1&shots=10",
    "qiskit.remote?backend=ibm_torino&shots=10",
    "ionq.simulator?shots=10&mode=direct",
    "somebodys.device?shots=10",
]


@pytest.fixture
def touched(monkeypatch):
    """Names of the devices whose provider was contacted; contact ends in an error, as without an account."""
    seen = []
    build, local = qml.device, [n for n in checks.installed_devices() if n not in ADAPTERS or not ADAPTERS[n].paid]
    free = {name for name in local if not name.startswith("braket.aws")}

    def device(name, *arguments, **options):
        if name in free:
            return build(name, *arguments, **options)
        seen.append(name)
        raise ConnectionError("no account")

    def machine(name, wires):
        seen.append("qiskit.remote")
        raise DeviceUnavailableError("no account")

    monkeypatch.setattr(qml, "device", device)
    monkeypatch.setattr(backends, "_machine", machine)
    monkeypatch.setattr(checks, "installed_devices", lambda: [*ADAPTERS, *local, "somebodys.device"])
    monkeypatch.setattr("hybrid_qproj.estimate.installed_devices", checks.installed_devices)
    monkeypatch.setattr(checks, "version", lambda name: "99.0")
    # Only what can be built offline may be built by the constructor of a snapshot's list.
    monkeypatch.setattr(backends, "_snapshots", lambda wanted: {})
    return seen


def _head(device, allow_paid=False, kind=QuantumProjection):
    return kind(6, 2, "rotor", device, plan="tree", init="random", allow_paid=allow_paid).eval()


X = torch.linspace(-1, 1, 12).reshape(2, 6)


def _trained(head):
    head.train()(X).sum().backward()


def _differentiated(head):
    # In eval mode circuits for the gradient run in the backward pass.
    head(X.clone().requires_grad_()).sum().backward()


RUNS = {
    "forward": lambda head: head(X),
    "training": _trained,
    "gradient": _differentiated,
    "responses": lambda head: head.responses(),
    "bloch_vectors": lambda head: head.bloch_vectors(X),
    "correct": lambda head: head.correct(1),
    "layer": lambda head: head.layers[0](X[:, : 2 * head.layers[0].blocks]),
    "qnode": lambda head: head.layers[0].qnode,
    "device": lambda head: head.executor.device,
    "double": lambda head: head.double()(X.double()),
}


@pytest.mark.parametrize("device", PAID)
@pytest.mark.parametrize("name", RUNS)
def test_a_head(touched, device, name):
    """Refused without leave, the provider untouched; with leave it is reached."""
    with pytest.raises(PaidDeviceError, match="nothing was sent"):
        RUNS[name](_head(device))
    assert touched == []
    with pytest.raises(DeviceUnavailableError):
        RUNS[name](_head(device, allow_paid=True))
    assert touched == [device.partition("?")[0]]


def test_the_refusal_counts(touched):
    """Ten circuits for each of two documents, or nine for each block."""
    with pytest.raises(PaidDeviceError, match=r"36 circuits of 10 shots were to run, 360 shots in all"):
        _head(PAID[0])(X)
    with pytest.raises(PaidDeviceError, match=r"36 circuits of 10 shots were to run.*layers deep on \d wires"):
        check_runs(_head(PAID[0]))


@pytest.mark.parametrize("device", PAID[:2])
def test_other_entry_points(touched, device, tmp_path):
    """All that build an executor of their own."""
    weights, targets = torch.zeros(1, 1), torch.zeros(1, 3, 3)
    rows = torch.randn(20, 6)
    calls = [
        lambda **leave: torch_layer("rotor", device=device, **leave)(torch.zeros(1, 2)),
        lambda **leave: _head(device, kind=CoherentProjection, **leave)(X),
        lambda **leave: _head(device, kind=CoherentProjection, **leave).bloch_vectors(X),
        lambda **leave: _head("default.qubit").to_device(device, **leave)(X),
        lambda **leave: QuantumProjection.paper(6, 2, device, **leave)(X),
        lambda **leave: QuantumProjection.fit(rows, 2, device=device, corrections=1, **leave),
        lambda **leave: correct_weights(_head("default.qubit").ansatz, weights, targets, device, 1, **leave),
        lambda **leave: calibrate(_head("default.qubit"), device, tmp_path / "c", **leave),
    ]
    for number, call in enumerate(calls, 1):
        with pytest.raises(PaidDeviceError):
            call()
        assert len(touched) == number - 1
        with pytest.raises(DeviceUnavailableError):
            call(allow_paid=True)
        assert len(touched) == number
    assert not list(tmp_path.iterdir())


def test_public_names():
    """Whatever takes a device takes leave too; a new public name that runs circuits has to be added above."""
    takes = {
        name
        for name in hybrid_qproj.__all__
        if not name.endswith(("Error", "__"))
        and {"device", "quantum_device"} & set(inspect.signature(getattr(hybrid_qproj, name)).parameters)
    }
    assert takes == {"CoherentProjection", "QuantumProjection", "load", "torch_layer"}
    for name in takes:
        assert "allow_paid" in inspect.signature(getattr(hybrid_qproj, name)).parameters


@pytest.mark.parametrize("kind", [QuantumProjection, CoherentProjection])
@pytest.mark.parametrize("device", [*PAID[:2], PAID[3]])
def test_a_saved_head(touched, device, kind, tmp_path):
    """Saving, loading, printing and counting touch nobody; leave is not in the file, and running is refused."""
    _head(device, allow_paid=True, kind=kind).save(tmp_path)
    assert "allow_paid" not in (tmp_path / "config.json").read_text()
    head = load_head(tmp_path)
    assert device in repr(head)
    assert str(head.device) == head.config()["device"] == device
    copy.deepcopy(head)
    if kind is QuantumProjection and (find_spec("qiskit") or not device.startswith("qiskit")):
        assert estimate(head, device).runs
    with warnings.catch_warnings():
        # No stand-in, of which a warning would tell.
        warnings.simplefilter("error")
        with pytest.raises(PaidDeviceError):
            head(X)
    assert touched == []
    with pytest.raises(DeviceUnavailableError):
        head.to_device(head.device, allow_paid=True)(X)
    assert touched == [device.partition("?")[0]]
    assert head.to_device("default.qubit")(X).shape[0] == 2


def test_a_missing_plugin_is_no_stand_in(touched, monkeypatch, tmp_path):
    """A saved device that can cost money is refused where its plugin is missing, not simulated."""
    _head("ionq.qpu?shots=10").save(tmp_path)
    monkeypatch.setattr(checks, "installed_devices", lambda: ["default.qubit"])
    head = load_head(tmp_path)
    with pytest.raises(PaidDeviceError):
        head(X)
    with pytest.raises(DeviceUnavailableError, match="is not installed"):
        head.to_device(head.device, allow_paid=True)(X)


def _through_torch(head):
    file = io.BytesIO()
    torch.save(head, file)
    return torch.load(io.BytesIO(file.getvalue()), weights_only=False)


@pytest.mark.parametrize(
    "carry",
    [copy.deepcopy, lambda h: pickle.loads(pickle.dumps(h)), _through_torch],  # noqa: S301 - made here
)
def test_leave_is_not_copied(touched, carry):
    """Who unpickles a head asks anew."""
    head = _head(PAID[0], allow_paid=True)
    assert head.allow_paid
    again = carry(head)
    assert not again.allow_paid
    with pytest.raises(PaidDeviceError):
        again(X)
    assert touched == []


def test_leave_is_not_read_from_a_file(touched, tmp_path):
    """A config that gives it is refused."""
    _head(PAID[0]).save(tmp_path)
    path = tmp_path / "config.json"
    config = {**json.loads(path.read_text()), "allow_paid": True}
    # Without what binds it to its weights, as configs of the first format are.
    del config[BINDING]
    path.write_text(json.dumps(config))
    with pytest.raises((CheckpointError, ValueError), match="allow_paid"):
        load_head(tmp_path)


def test_leave_does_not_outlive_the_device(touched):
    """It was given for one device, not for the next."""
    head = _head(PAID[0], allow_paid=True).to_device(PAID[1])
    with pytest.raises(PaidDeviceError):
        head(X)
    assert touched == []


def test_measured_responses_need_no_device(touched):
    """A calibrated head serves, whatever its device costs."""
    local = _head("default.qubit")
    head = _head(PAID[0])
    head.load_state_dict(local.state_dict())
    head.use_responses(head.block_weights().double(), torch.cat(local.double().responses()).double())
    torch.testing.assert_close(head(X), local.float()(X), atol=1e-5, rtol=0)
    assert touched == []
