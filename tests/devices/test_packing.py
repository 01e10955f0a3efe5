"""Circuits side by side: the same results, fewer circuits."""

from __future__ import annotations

import pennylane as qml
import pytest
import torch
from pennylane.tape import QuantumScript

from hybrid_qproj import DeviceSpec
from hybrid_qproj.blocks.executor import BlockCircuit, BlockExecutor
from hybrid_qproj.circuits import get
from hybrid_qproj.devices import make_device, side_by_side
from hybrid_qproj.devices.packing import Packed, pack_tapes


def _tape(angle, shots=None, measurements=None):
    operations = [qml.RY(angle, 0), qml.RX(0.3, 1), qml.CNOT([0, 1])]
    return QuantumScript(operations, measurements or [qml.expval(qml.Z(1))], shots=shots)


def _run(tapes, wires):
    return qml.execute(tapes, qml.device("default.qubit", wires=wires), diff_method=None)


@pytest.mark.parametrize("blocks", [1, 2, 3, 7, 10])
def test_values_and_number_of_circuits(blocks):
    """Seven tapes in circuits of any size come back in order."""
    tapes = [_tape(0.1 * number) for number in range(7)]
    wide, restore = pack_tapes(tapes, blocks, 2)
    assert len(wide) == -(-7 // blocks)
    assert all(len(tape.wires) <= 2 * blocks for tape in wide)
    assert restore(_run(wide, 2 * blocks)) == pytest.approx(_run(tapes, 2), abs=1e-12)


def test_several_measurements_in_a_tape():
    """One tape has two results, the next one; probabilities keep their shape."""
    two = [qml.expval(qml.Z(0)), qml.probs(wires=[0, 1])]
    tapes = [_tape(0.4, measurements=two), _tape(0.5), _tape(0.6, measurements=two)]
    wide, restore = pack_tapes(tapes, 3, 2)
    assert len(wide) == 1
    first, second, third = restore(_run(wide, 6))
    expected = _run(tapes, 2)
    assert second == pytest.approx(expected[1])
    for found, known in ((first, expected[0]), (third, expected[2])):
        assert found[0] == pytest.approx(known[0])
        assert found[1] == pytest.approx(known[1])


def test_shots_are_not_mixed():
    """Tapes share a circuit only with neighbours of the same shots."""
    tapes = [_tape(0.1, 10), _tape(0.2, 10), _tape(0.3, 20), _tape(0.4, 20), _tape(0.5, 20), _tape(0.6, 10)]
    wide, restore = pack_tapes(tapes, 2, 2)
    assert [tape.shots.total_shots for tape in wide] == [10, 20, 20, 10]
    assert [len(tape.measurements) for tape in wide] == [2, 2, 1, 1]
    assert len(restore([(1, 2), (3, 4), 5, 6])) == 6


def test_no_tapes():
    """Nothing in, nothing out."""
    wide, restore = pack_tapes([], 3, 2)
    assert wide == ()
    assert restore([]) == ()


@pytest.mark.parametrize(
    ("tape", "blocks", "message"),
    [
        (_tape(0.1), 0, "pack=0: expected a whole number of at least 1"),
        (QuantumScript([qml.X(2)], [qml.expval(qml.Z(2))]), 2, r"on wires \[2\].*expected wires 0 to 1 only"),
        (QuantumScript([qml.X("a")], [qml.expval(qml.Z("a"))]), 2, "expected wires 0 to 1 only"),
        (QuantumScript([qml.X(0)], [qml.probs()]), 2, "measurements that name theirs"),
    ],
)
def test_refusals(tape, blocks, message):
    """Circuits that would not stay apart."""
    with pytest.raises(ValueError, match=message):
        pack_tapes([tape], blocks, 2)


@pytest.mark.parametrize("batch", [1, 5])
def test_transform_of_a_qnode(batch):
    """Broadcast in, broadcast out, gradients included."""
    node = qml.QNode(BlockCircuit(get("u_cu")), qml.device("default.qubit", wires=6), interface="torch")
    packed = side_by_side(node, blocks=3)
    inputs, weights = torch.rand(batch, 2).double(), torch.rand(batch, 12).double().requires_grad_()
    plain, wide = node(inputs, weights), packed(inputs, weights)
    assert wide.shape == plain.shape == (batch,)
    torch.testing.assert_close(wide, plain, atol=1e-12, rtol=0)
    expected, found = (torch.autograd.grad(value.sum(), weights)[0] for value in (plain, wide))
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)


def test_transform_without_a_batch():
    """A single circuit goes through."""
    node = qml.QNode(BlockCircuit(get("rotor")), qml.device("default.qubit", wires=2), interface="torch")
    inputs, weights = torch.rand(2).double(), torch.rand(1).double()
    assert side_by_side(node, blocks=3)(inputs, weights).item() == pytest.approx(node(inputs, weights).item())


class _Counting:
    """Counts the circuits that reach a device."""

    def __init__(self, device):
        self.widths = []
        execute = device.execute

        def counted(circuits, config=None):
            self.widths += [len(circuit.wires) for circuit in circuits]
            return execute(circuits, config)

        device.execute = counted


def test_parameter_shift_is_packed():
    """Shifted circuits lie side by side too, and the gradient is that of backpropagation."""
    executor = BlockExecutor(get("u_cu"), DeviceSpec.parse("default.qubit?pack=4&diff_method=parameter-shift"))
    assert isinstance(executor.device, Packed)
    counting = _Counting(executor.device.inner)
    inputs, weights = torch.rand(3, 2).double().requires_grad_(), torch.rand(3, 12).double().requires_grad_()
    found = torch.autograd.grad(executor(inputs, weights).sum(), (inputs, weights))
    plain = BlockExecutor(get("u_cu"), DeviceSpec("default.qubit"))
    expected = torch.autograd.grad(plain(inputs, weights).sum(), (inputs, weights))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=0)
    # Each block: itself, 2 shifts of 2 inputs and 6 rotations, 4 of 3 controlled rotations; none of the phase, which
    # the readout does not see.
    assert sum(counting.widths) == 2 * 3 * (1 + 2 * (2 + 6) + 4 * 3)
    assert max(counting.widths) == 8


def test_single_circuits_and_tuples_of_one():
    """One tape instead of a batch; and devices that give single results in tuples of one."""

    class InTuples:
        wires, tracker = qml.wires.Wires(range(4)), None

        def execute(self, circuits, config=None):
            results = _run(circuits, 4)
            return [(r,) if len(c.measurements) == 1 else r for r, c in zip(results, circuits, strict=True)]

    packed = Packed(InTuples(), 2, 2, in_tuple=True)
    tapes = [_tape(0.1), _tape(0.2), _tape(0.3)]
    expected = _run(tapes, 2)
    assert [result[0] for result in packed.execute(tapes)] == pytest.approx(expected)
    assert packed.execute(tapes[0])[0] == pytest.approx(expected[0])


@pytest.mark.parametrize("pack", [2, 5])
def test_shots_side_by_side_are_those_of_the_string(pack):
    """Every wide circuit runs with the shots of the spec: values are multiples of 2 / shots."""
    executor = BlockExecutor(get("rotor"), DeviceSpec.parse(f"default.qubit?shots=50&seed=1&pack={pack}"))
    values = executor(torch.rand(7, 2).double(), torch.rand(7, 1).double())
    counts = (1 + values) * 25
    torch.testing.assert_close(counts, counts.round(), atol=1e-9, rtol=0)


def test_wires_of_a_packed_device():
    """Two wires a block, or as many as asked for."""
    assert len(make_device(DeviceSpec.parse("lightning.qubit?pack=3"), 2).wires) == 6
    assert len(make_device(DeviceSpec.parse("lightning.qubit?pack=3&wires=8"), 2).wires) == 8
