"""IBM backends by name, with a faked qiskit_ibm_runtime: no network, no account."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch

from hybrid_qproj import DeviceSpec, QuantumProjection
from hybrid_qproj._util.extras import MissingExtraError
from hybrid_qproj.devices import DeviceRunError, DeviceUnavailableError
from hybrid_qproj.devices.backends import ibm_backend, is_simulated, snapshot, snapshot_of, usable_qubits
from hybrid_qproj.devices.checks import check_request

ACCOUNT = "abcdef0123456789"


def _backend(name, qubits):
    return SimpleNamespace(name=name, num_qubits=qubits)


class IBMAccountError(Exception):
    """Stands for the runtime's own exceptions, which share no base class."""


class _Service:
    """Looks like QiskitRuntimeService; `fail` is raised by its constructor, `calls` records what was asked."""

    fail: Exception | None = None
    calls: list[tuple[str, dict]] = []  # noqa: RUF012 - replaced in each test

    def __init__(self):
        if self.fail:
            raise self.fail

    def backend(self, name):
        self.calls.append((name, {}))
        if name != "ibm_torino":
            raise LookupError(f"no backend {name} for account {ACCOUNT}")
        return _backend(name, 133)

    def least_busy(self, **filters):
        self.calls.append(("least_busy", filters))
        return _backend("ibm_quiet", 127)


@pytest.fixture
def service(monkeypatch):
    """Put the fake modules in place; the service class is given, for a test to change."""
    fakes = [_backend("fake_manila", 5), _backend("fake_torino", 133)]
    provider = ModuleType("qiskit_ibm_runtime.fake_provider")
    provider.FakeProviderForBackendV2 = lambda: SimpleNamespace(backends=lambda: fakes)
    runtime = ModuleType("qiskit_ibm_runtime")
    runtime.QiskitRuntimeService = _Service
    monkeypatch.setitem(sys.modules, runtime.__name__, runtime)
    monkeypatch.setitem(sys.modules, provider.__name__, provider)
    monkeypatch.setattr(_Service, "fail", None)
    monkeypatch.setattr(_Service, "calls", [])
    return _Service


@pytest.mark.parametrize(("name", "simulated"), [("fake_manila", True), ("ibm_torino", False), ("least_busy", False)])
def test_snapshots_by_their_name(name, simulated):
    """fake_* is a snapshot."""
    assert is_simulated(name) is simulated


def test_no_backend(service):
    """The message shows one that runs offline; nobody is asked for a machine instead."""
    with pytest.raises(DeviceUnavailableError, match=r"needs a backend: '.*fake_sherbrooke.*' runs offline"):
        check_request(DeviceSpec.parse("qiskit.remote?shots=10"))
    assert service.calls == []


def test_a_snapshot_asks_nobody(service):
    """Offline, and without an account."""
    service.fail = ConnectionError("no network")
    assert ibm_backend("fake_manila", 4).num_qubits == 5
    assert service.calls == []


def test_an_unknown_snapshot(service):
    """The closest name, and all that there are."""
    with pytest.raises(DeviceUnavailableError, match=r"did you mean 'fake_manila'.*fake_manila, fake_torino"):
        snapshot("fake_manilla")


def test_snapshot_of_a_machine(service):
    """By name, and None where there is none; the machine is not asked."""
    assert snapshot_of("ibm_torino").name == "fake_torino"
    assert snapshot_of("ibm_new") is None
    assert snapshot_of("least_busy") is None
    assert service.calls == []


def test_a_machine(service):
    """Found by its name."""
    assert ibm_backend("ibm_torino", 2).num_qubits == 133


def test_least_busy(service):
    """Of the machines that are large enough and up."""
    assert ibm_backend("least_busy", 40).name == "ibm_quiet"
    assert service.calls == [("least_busy", {"operational": True, "simulator": False, "min_num_qubits": 40})]


@pytest.mark.parametrize(("name", "wires"), [("fake_manila", 6), ("ibm_torino", 134)])
def test_too_few_qubits(service, name, wires):
    """Both numbers, and what to do."""
    with pytest.raises(DeviceUnavailableError, match=rf"'{name}' has \d+ qubits; {wires} wires are needed. Lower pack"):
        ibm_backend(name, wires)


@pytest.mark.parametrize(
    "error",
    [
        IBMAccountError(f"invalid token {ACCOUNT}"),
        ConnectionError(f"https://auth.example/?apikey={ACCOUNT}"),
        ValueError(f"unable to find account for {ACCOUNT}"),
    ],
)
def test_an_account_that_is_refused(service, error):
    """One clear message that quotes nothing of the provider's."""
    service.fail = error
    with pytest.raises(DeviceUnavailableError) as caught:
        ibm_backend("ibm_torino", 2)
    message = str(caught.value)
    assert ACCOUNT not in message
    assert type(error).__name__ in message
    assert "QISKIT_IBM_TOKEN" in message
    assert "save_account" in message
    # A traceback would quote the provider.
    assert caught.value.__suppress_context__
    assert caught.value.__cause__ is None


def test_an_unknown_machine(service):
    """As any other failure to reach it."""
    with pytest.raises(DeviceUnavailableError, match="'ibm_atlantis' could not be reached") as caught:
        ibm_backend("ibm_atlantis", 2)
    assert ACCOUNT not in str(caught.value)


@pytest.mark.parametrize("name", ["fake_manila", "ibm_torino"])
def test_qiskit_is_missing(monkeypatch, name):
    """The extra to install."""
    monkeypatch.setitem(sys.modules, "qiskit_ibm_runtime", None)
    monkeypatch.setitem(sys.modules, "qiskit_ibm_runtime.fake_provider", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'hybrid-qproj\[qiskit\]'"):
        ibm_backend(name, 2)


@pytest.fixture
def machine(monkeypatch):
    """A machine that is a snapshot of five qubits in truth, behind a faked account."""
    pytest.importorskip("pennylane_qiskit", reason="needs the extra 'qiskit'")
    runtime = pytest.importorskip("qiskit_ibm_runtime", reason="needs the extra 'qiskit'")
    found = pytest.importorskip("qiskit_ibm_runtime.fake_provider").FakeManilaV2()
    service = SimpleNamespace(backend=lambda name: found, least_busy=lambda **filters: found)
    monkeypatch.setattr(runtime, "QiskitRuntimeService", lambda: service)
    return runtime


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ibm_manila", "least_busy"])
def test_a_head_runs_on_a_machine(machine, name):
    """Two blocks a circuit fill the five qubits; values are near the exact ones."""
    device = f"qiskit.remote?backend={name}&shots=2000&mode=direct"
    head = QuantumProjection(4, 2, device=device, init="random", allow_paid=True).eval()
    embeddings = torch.randn(2, 4)
    with torch.no_grad():
        values = head(embeddings).cos()
        exact = head.to_device("default.qubit")(embeddings).cos()
    assert (values - exact).abs().max() < 0.3


@pytest.mark.slow
def test_a_job_that_fails(machine, monkeypatch):
    """After the account and the compilation, in the queue: one clear error."""

    def fail(*_, **__):
        raise IBMAccountError(f"job cancelled by {ACCOUNT}")

    monkeypatch.setattr(machine.EstimatorV2, "run", fail)
    head = QuantumProjection(4, 2, device="qiskit.remote?backend=ibm_manila&shots=100", allow_paid=True).eval()
    with pytest.raises(DeviceRunError, match="the job was cancelled") as caught:
        head(torch.randn(1, 4))
    assert ACCOUNT not in str(caught.value)


@pytest.mark.parametrize(
    ("edges", "qubits"),
    [
        ([(0, 1), (1, 2), (2, 3)], 4),
        ([(0, 1), (0, 2), (0, 3)], 2),
        ([(0, 1), (1, 0), (2, 3), (3, 2), (1, 2)], 4),
    ],
)
def test_usable_qubits_are_disjoint_pairs(edges, qubits):
    """A line pairs all its qubits, a star only one pair; directions do not matter."""
    qiskit = pytest.importorskip("qiskit.transpiler", reason="needs the extra 'qiskit'")
    backend = SimpleNamespace(num_qubits=4, coupling_map=qiskit.CouplingMap(edges))
    assert usable_qubits(backend, 2) == qubits
    assert usable_qubits(backend, 3) == 4
    assert usable_qubits(SimpleNamespace(num_qubits=4, coupling_map=None), 2) == 4
    assert usable_qubits(None, 2) is None
