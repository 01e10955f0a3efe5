"""A declared ansatz is checked when it is looked up, and each mistake has its own words."""

from __future__ import annotations

import pickle

import pennylane as qml
import pytest
import torch

from hybrid_qproj import circuits
from hybrid_qproj.blocks.executor import BlockCircuit
from hybrid_qproj.circuits import Ansatz, AnsatzError, Normal


def _make(circuit, names=("a",), **changes):
    arguments = {"initializers": {"random": Normal(len(names))}, "citation": "a test", **changes}
    return Ansatz("mine", circuit, names, **arguments)


def _sound(angles, wires):
    qml.CRY(angles[0], wires=wires)


def _needs_two(angles, wires):
    qml.CRY(angles[1], wires=wires)


def _measures(angles, wires):
    qml.RY(angles[0], wires=wires[0])
    qml.expval(qml.Z(wires[0]))


def _returns(angles, wires):
    qml.RY(angles[0], wires=wires[0])
    return 1


def _other_wire(angles, wires):
    qml.RY(angles[0], wires=5)


def _wrong_axis(angles, wires):
    qml.RY(angles[0].reshape(-1)[:2], wires=wires[0])


def _template(angles, wires):
    weights = qml.math.stack([angles[0]] * 3, axis=-1)[..., None, None, :] * torch.ones(1, 2, 3)
    qml.StronglyEntanglingLayers(weights, wires=wires)


@pytest.mark.parametrize(
    ("circuit", "message"),
    [
        (_template, "got a batch of None angles for 3 blocks; .*apply a template's gates one by one"),
        (_needs_two, r"failed on 1 parameters \(a\): IndexError"),
        (_measures, "returns or measures something"),
        (_returns, "returns or measures something"),
        (_other_wire, r"acts on wires \[5\]; use only the 2 it is given"),
        (_wrong_axis, "got a batch of 2 angles for 3 blocks"),
    ],
)
def test_unsound_circuits(circuit, message):
    """What the circuit does wrong is said with its name."""
    with pytest.raises(AnsatzError, match=message):
        circuits.get(_make(circuit))


def test_unsound_declarations():
    """Wires, kept wire and initialisers."""
    with pytest.raises(AnsatzError, match="1 wires and kept wire 1"):
        _make(_sound, wires=1).check()
    with pytest.raises(AnsatzError, match="kept wire 2"):
        _make(_sound, kept=2).check()
    with pytest.raises(AnsatzError, match="has no initialiser; give at least one"):
        _make(_sound, initializers={}).check()
    with pytest.raises(AnsatzError, match=r"returned shape \(3, 4\) for 3 blocks; expected \(3, 1\)"):
        _make(_sound, initializers={"random": Normal(4)}).check()


def test_initialize():
    """Seeded draws repeat; an unknown scheme lists the known ones."""
    ansatz = _make(_sound).check()
    draws = [ansatz.initialize("random", 4, torch.Generator().manual_seed(1)) for _ in range(2)]
    assert torch.equal(*draws)
    assert draws[0].dtype == torch.float32
    with pytest.raises(AnsatzError, match="no initialiser 'zeros'; it has: random"):
        ansatz.initialize("zeros", 4)


@pytest.mark.parametrize("name", circuits.names())
def test_pickles(name):
    """Every built-in ansatz goes to a worker process and back equal."""
    ansatz = circuits.get(name)
    assert pickle.loads(pickle.dumps(ansatz)) == ansatz  # noqa: S301 - our own bytes


@pytest.mark.parametrize("name", circuits.names())
def test_trace_is_what_runs(name):
    """The gates that the QNode runs between encoding and readout, for one block and for several, on any wires."""
    ansatz = circuits.get(name)
    weights = ansatz.initialize("random", 3, torch.Generator().manual_seed(0))
    for raw, inputs in ((weights, torch.zeros(3, 2)), (weights[0], torch.zeros(2))):
        run = qml.tape.make_qscript(BlockCircuit(ansatz))(inputs, raw).operations[2:]
        for ours, theirs in zip(ansatz.trace(raw).operations, run, strict=True):
            qml.assert_equal(ours, theirs)
    wires = ["b", "a"]
    for ours, theirs in zip(ansatz.trace(weights, wires).operations, ansatz.trace(weights).operations, strict=True):
        qml.assert_equal(ours, theirs.map_wires(dict(enumerate(wires))))


def test_trace_measures_nothing():
    """What a circuit raises goes through; what it returns or measures is refused."""
    with pytest.raises(IndexError):
        _make(_needs_two).trace(torch.zeros(1))
    for circuit in (_measures, _returns):
        with pytest.raises(AnsatzError, match="returns or measures something"):
            _make(circuit).trace(torch.zeros(1))
