"""Blocks on a device that they do not run on."""

from __future__ import annotations

import pennylane as qml
import pytest
import torch

from hybrid_qproj import QuantumProjection
from hybrid_qproj.blocks.counting import count_circuits, example_circuit
from hybrid_qproj.blocks.executor import CIRCUITS_PER_CALL, BlockExecutor
from hybrid_qproj.blocks.response import TRINE
from hybrid_qproj.devices import DeviceSpec


def test_gates_are_counted_on_the_circuit_that_runs():
    """The example circuit gives the values of the QNode."""
    head = QuantumProjection(8, 2, init="random").double()
    tape = example_circuit(head.ansatz, head.block_weights(), 3)
    weights = torch.cat([stage.weights for stage in head.stages])[:3].detach()
    inputs = torch.full((3, 2), TRINE[1]).double()
    (values,) = qml.execute([tape], qml.device("default.qubit", wires=6), diff_method=None)
    expected = BlockExecutor(head.ansatz, DeviceSpec("default.qubit"))(inputs, weights)
    assert [float(v) for v in values] == pytest.approx(expected.tolist(), abs=1e-6)


@pytest.mark.parametrize(
    ("rows", "pack", "circuits"),
    [([20], 1, 20), ([20], 3, 7), ([2, 2], 3, 2), ([CIRCUITS_PER_CALL + 1], CIRCUITS_PER_CALL + 1, 2)],
)
def test_counts(rows, pack, circuits):
    """Circuits are filled within a call, and not across calls."""
    assert count_circuits(rows, pack) == circuits
