"""Estimates: counts are those of real runs, and nothing is looked up or sent."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pennylane as qml
import pytest
import torch

from hybrid_qproj import ClassicalProjection, DeviceSpec, QuantumProjection, circuits
from hybrid_qproj import estimate as module
from hybrid_qproj.blocks import counting, executor
from hybrid_qproj.devices import DeviceSpecError, DeviceUnavailableError
from hybrid_qproj.devices.compilation import GENERIC_BASIS, compile_for
from hybrid_qproj.estimate import estimate, state_bytes
from hybrid_qproj.heads.checkpoint import CheckpointError
from hybrid_qproj.heads.coherent import CoherentProjection
from hybrid_qproj.loading import load_quantum_head

GATES = {"u_cu": 6, "rotor": 1, "free_rotor": 1, "polar": 2, "strongly_entangling": 6}


@pytest.fixture
def head():
    """Ten blocks in stages of 2, 4 and 4."""
    return QuantumProjection(14, 4, init="random").eval()


def _by_mode(result):
    return {(run.mode, run.pack): run for run in result.runs}


def _circuits_run(head, device, documents):
    """How many circuits reach the inner device in one forward pass."""
    head.to_device(device)
    inner, seen = head.executor.device, []
    while hasattr(inner, "inner"):
        inner = inner.inner
    execute = inner.execute

    def counted(tapes, config=None):
        seen.extend(tapes)
        return execute(tapes, config)

    inner.execute = counted
    with torch.no_grad():
        head(torch.rand(documents, head.in_features))
    return len(seen)


@pytest.mark.parametrize("pack", [1, 3])
@pytest.mark.parametrize("mode", ["interpolated", "direct"])
def test_counts_are_those_of_a_run(head, mode, pack):
    """The same number of circuits goes to the device, with and without packing."""
    device = f"lightning.qubit?mode={mode}&pack={pack}"
    run = _by_mode(estimate(head, device, documents=5))[mode, pack]
    assert run.circuits == _circuits_run(head, device, 5)


def test_counts_of_a_run_in_chunks(head, monkeypatch):
    """Large calls are cut into chunks, and circuits are not filled across them."""
    for place in (module, executor, counting):
        monkeypatch.setattr(place, "CIRCUITS_PER_CALL", 8)
    device = "lightning.qubit?mode=direct&pack=3"
    run = _by_mode(estimate(head, device, documents=5))["direct", 3]
    assert run.circuits == _circuits_run(head, device, 5) == 4 + 8 + 8
    assert counting.count_circuits([20], 3) == 3 + 3 + 2


def test_interpolated_is_independent_of_documents(head):
    """Nine circuits a block, once; direct mode pays for each document."""
    one, many = (_by_mode(estimate(head, "lightning.qubit", documents=n)) for n in (1, 1000))
    assert one["interpolated", 1] == many["interpolated", 1]
    assert many["interpolated", 1].circuits == 9 * 10
    assert many["direct", 1].circuits == 10 * 1000


@pytest.mark.parametrize("name", circuits.names())
def test_two_qubit_gates_of_every_ansatz(name):
    """Of one block, and three times as many of three; depth and wires alike."""
    if name not in GATES:
        pytest.skip("registered by another test")
    head = QuantumProjection(8, 2, circuit=name, init="random")
    result = _by_mode(estimate(head, "lightning.qubit?pack=3"))
    one, three = result["interpolated", 1], result["interpolated", 3]
    assert (one.two_qubit_gates, three.two_qubit_gates) == (GATES[name], 3 * GATES[name])
    assert (one.wires, three.wires) == (2, 6)
    assert one.depth == three.depth > 1


GATE_SET = set(GENERIC_BASIS) - {"GlobalPhase"}
ROTATIONS = ("RX", "RY", "RZ")


@pytest.mark.parametrize("name", GATES)
@pytest.mark.parametrize("pack", [1, 3])
def test_pennylanes_estimator_counts_the_same(name, pack):
    """Gates and wires in the same gate set; its own one is Clifford gates and T, many for each rotation."""
    ansatz = circuits.get(name)
    tape = counting.example_circuit(ansatz, ansatz.initialize("random", 3, torch.Generator().manual_seed(0)), pack)

    def circuit():
        for operation in tape.operations:
            qml.apply(operation)

    ours = compile_for(tape, DeviceSpec("lightning.qubit"))
    theirs = qml.estimator.estimate(circuit, gate_set=GATE_SET)()
    (plain,), _ = qml.transforms.decompose(tape, gate_set=set(GENERIC_BASIS))
    gates = Counter(operation.name for operation in plain.operations if operation.name in GATE_SET)
    assert {gate: count for gate, count in theirs.gate_counts.items() if count} == gates
    assert theirs.total_wires == ours.wires
    assert gates["CNOT"] + gates["CZ"] == ours.two_qubit_gates
    by_default = qml.estimator.estimate(circuit)().gate_counts
    rotations = sum(gates[gate] for gate in ROTATIONS)
    assert by_default["T"] % rotations == 0
    # A CZ is a CNOT between two Hadamard gates there.
    assert (by_default["CNOT"], by_default["Hadamard"]) == (ours.two_qubit_gates, 2 * gates["CZ"])


def test_few_blocks_in_a_wide_circuit():
    """A circuit wider than the head is estimated full."""
    head = QuantumProjection(3, 2, circuit="rotor")
    assert _by_mode(estimate(head, "default.qubit?pack=4"))["direct", 4].two_qubit_gates == 4


def test_shots(head):
    """Of all circuits together; none where results are exact."""
    run = _by_mode(estimate(head, "default.qubit?shots=100&pack=4"))["interpolated", 4]
    assert (run.circuits, run.shots) == (23, 2300)
    assert all(run.shots is None for run in estimate(head, "default.qubit").runs)


@pytest.mark.parametrize(
    ("device", "wires", "expected"),
    [
        ("lightning.qubit", 2, 64),
        ("lightning.qubit?c_dtype=complex64", 2, 32),
        ("lightning.gpu", 20, 16 * 2**20),
        ("default.mixed", 2, 16 * 16),
        ("cirq.mixedsimulator", 3, 8 * 64),
        ("braket.local.qubit?backend=braket_dm", 4, 16 * 256),
        ("qiskit.aer?method=density_matrix&shots=1", 4, 16 * 256),
        ("qiskit.remote?backend=fake_torino&shots=1", 4, 16 * 256),
        ("qiskit.remote?backend=ibm_torino&shots=1", 4, None),
        ("braket.aws.qubit?device_arn=x&shots=1", 4, None),
    ],
)
def test_memory_of_a_state(device, wires, expected):
    """16 bytes an amplitude, squared for a density matrix; machines need none."""
    assert state_bytes(DeviceSpec.parse(device), wires) == expected


def test_memory_of_a_batch(head):
    """A device that batches holds all states of a call at once."""
    runs = _by_mode(estimate(head, "default.qubit", documents=5))
    assert runs["interpolated", 1].memory == 64 * 90
    assert runs["direct", 1].memory == 64 * 20


def test_a_price_that_is_no_number(head):
    """Said, not printed as infinite."""
    with pytest.raises(ValueError, match="no finite number"):
        estimate(head, "ionq.qpu?shots=10000000", 10**6, price_per_shot=1e305)


def test_price(head):
    """Shots and tasks of a machine, at the prices given; none without."""
    device = "braket.aws.qubit?device_arn=x&shots=100&pack=2"
    run = _by_mode(estimate(head, device, price_per_shot=0.001, price_per_task=0.3))["interpolated", 2]
    assert run.price == pytest.approx(45 * (100 * 0.001 + 0.3))
    assert all(run.price is None for run in estimate(head, device).runs)
    only_tasks = _by_mode(estimate(head, device, price_per_task=0.3))["direct", 1]
    assert only_tasks.price == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("device", "arguments", "error", "message"),
    [
        ("default.qubit", {"documents": 0}, ValueError, "documents=0: expected at least 1"),
        ("default.qubit", {"price_per_shot": 0.1}, ValueError, "costs nothing; leave the prices out"),
        ("ionq.qpu?shots=10", {"price_per_shot": -1.0}, ValueError, "expected numbers of at least 0"),
        ("ionq.qpu?shots=10", {"price_per_task": float("nan")}, ValueError, "expected numbers of at least 0"),
        ("qiskit.aer", {}, DeviceUnavailableError, "say how many shots"),
        ("qiskit.areo?shots=10", {}, DeviceUnavailableError, "did you mean 'qiskit.aer'"),
        ("lightning.qubit?colour=red", {}, DeviceSpecError, "keys that exist"),
        ("default.qubit?shots=0", {}, DeviceSpecError, "expected a whole number >= 1"),
    ],
)
def test_refusals(head, device, arguments, error, message):
    """What is out of range, and what the device cannot do."""
    with pytest.raises(error, match=message):
        estimate(head, device, **arguments)


def test_devices_need_not_be_installed(head):
    """A plan for a GPU or a cloud is made anywhere."""
    assert estimate(head, "lightning.gpu?c_dtype=complex64").runs
    assert "pack=N" in " ".join(estimate(head, "ionq.qpu?shots=10").notes)


def test_the_estimate_is_plain_data(head):
    """Frozen, and made of plain values."""
    result = estimate(head, "default.qubit")
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.documents = 3
    assert dataclasses.asdict(result)["runs"][0]["mode"] == "interpolated"


def test_heads_of_folders(head, tmp_path):
    """A saved head; a classical one and an empty folder are refused."""
    head.save(tmp_path / "head")
    assert load_quantum_head(tmp_path / "head").plan == head.plan
    ClassicalProjection(6, 2).save(tmp_path / "linear")
    with pytest.raises(CheckpointError, match="holds a ClassicalProjection, which has no circuits"):
        load_quantum_head(tmp_path / "linear")
    CoherentProjection(6, 2).save(tmp_path / "coherent")
    with pytest.raises(CheckpointError, match=r"holds a CoherentProjection, which is not drawn.*give a QuantumProj"):
        load_quantum_head(tmp_path / "coherent")
    with pytest.raises(CheckpointError):
        load_quantum_head(tmp_path)


def test_head_of_a_saved_encoder(tiny_bert, tmp_path):
    """The last module of a sentence-transformers folder."""
    sbert = pytest.importorskip("hybrid_qproj.sbert", reason="needs the extra 'text'")
    transformer = sbert.SentenceTransformer(str(tiny_bert), device="cpu")
    width = transformer.get_embedding_dimension()
    sbert.with_head(transformer, QuantumProjection(width, 4)).save_pretrained(str(tmp_path))
    assert load_quantum_head(tmp_path).in_features == width


@pytest.fixture
def qiskit(monkeypatch):
    """qiskit, with an IBM service that must not be asked."""
    pytest.importorskip("qiskit", reason="needs the extra 'qiskit'")
    runtime = pytest.importorskip("qiskit_ibm_runtime", reason="needs the extra 'qiskit'")

    def asked(*_, **__):
        raise AssertionError("an estimate looked a machine up")

    monkeypatch.setattr(runtime, "QiskitRuntimeService", asked)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "target", "packs"),
    [
        ("fake_torino", "fake_torino", [1, 2]),
        ("ibm_torino", "fake_torino", [1, 56]),
        ("ibm_atlantis", "IBM basis cz, rz, sx, x, all qubits coupled", [1]),
        ("least_busy", "IBM basis cz, rz, sx, x, all qubits coupled", [1]),
    ],
)
def test_ibm_backends(qiskit, backend, target, packs):
    """Two gates of a machine make a published block; the machine's snapshot stands for it, where there is one."""
    head = QuantumProjection(100, 10, init="random")
    result = estimate(head, f"qiskit.remote?backend={backend}&shots=1000")
    assert result.target == target
    assert sorted({run.pack for run in result.runs}) == packs
    runs = _by_mode(result)
    assert runs["direct", 1].two_qubit_gates == 2
    last = runs["interpolated", packs[-1]]
    assert last.wires == 2 * packs[-1]
    # Pairs that are no neighbours cost more.
    assert last.two_qubit_gates >= 2 * packs[-1]


@pytest.mark.slow
@pytest.mark.parametrize("device", ["qiskit.aer?shots=10", "qiskit.basicsim?shots=10"])
def test_local_qiskit_simulators(qiskit, device):
    """Compiled for the simulator itself."""
    run = estimate(QuantumProjection(8, 2, init="random"), device).runs[0]
    assert 1 <= run.two_qubit_gates <= GATES["u_cu"]


@pytest.mark.slow
def test_unknown_snapshot(qiskit):
    """As when it is built."""
    with pytest.raises(DeviceUnavailableError, match="did you mean 'fake_manila'"):
        estimate(QuantumProjection(8, 2), "qiskit.remote?backend=fake_manilla&shots=10")


@pytest.mark.slow
def test_compilation_repeats(qiskit):
    """The transpiler's random choices are seeded."""
    head = QuantumProjection(100, 10, init="random")
    spec = DeviceSpec.parse("qiskit.remote?backend=ibm_torino&shots=10&pack=20")
    assert estimate(head, spec) == estimate(head, spec)
