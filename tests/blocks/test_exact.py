"""Responses from matrices are those of the QNode: values and gradients, for every ansatz and for users' own."""

from __future__ import annotations

import pennylane as qml
import pytest
import torch

from hybrid_qproj import QuantumProjection, circuits
from hybrid_qproj.blocks.bloch_map import block_maps, exact_or_probed_maps, framed
from hybrid_qproj.blocks.exact import is_unitary
from hybrid_qproj.blocks.executor import BlockExecutor
from hybrid_qproj.blocks.response import block_responses, exact_or_probed
from hybrid_qproj.circuits import Ansatz, Normal
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.heads.coherent import CoherentProjection


def ancilla(angles, wires):
    """Three wires, a controlled operation, gates on wires in any order, a gate without parameters."""
    qml.CRX(2 * angles[0], wires=[wires[2], wires[0]])
    qml.ctrl(qml.RY, control=wires[1], control_values=[0])(angles[1], wires=wires[0])
    qml.CSWAP(wires=[wires[2], wires[0], wires[1]])
    qml.IsingXX(angles[0], wires=[wires[1], wires[2]])
    qml.Hadamard(wires=wires[2])
    qml.CNOT(wires=[wires[2], wires[1]])


def measured(angles, wires):
    """A measurement inside."""
    outcome = qml.measure(wires[0])
    qml.cond(outcome, qml.RY)(angles[0], wires=wires[1])


OWN = [
    Ansatz("three wires", ancilla, ("a", "b"), {"random": Normal(2)}, "here", wires=3),
    Ansatz("kept first", ancilla, ("a", "b"), {"random": Normal(2)}, "here", wires=3, kept=0),
    Ansatz("kept ancilla", ancilla, ("a", "b"), {"random": Normal(2)}, "here", wires=3, kept=2),
]
ALL = [*(circuits.get(name) for name in circuits.names()), *OWN]
EXACT = DeviceSpec("default.qubit")


@pytest.mark.parametrize("ansatz", ALL, ids=lambda ansatz: ansatz.name)
@pytest.mark.parametrize("kind", ["measured", "coherent"])
def test_equal_to_the_qnode(ansatz, kind):
    """To rounding in double precision, gradients by the weights too."""
    by_matrices, by_probes, executor = (
        (exact_or_probed, block_responses, BlockExecutor(ansatz, EXACT))
        if kind == "measured"
        else (exact_or_probed_maps, block_maps, BlockExecutor(framed(ansatz), EXACT))
    )
    assert executor.by_matrices
    weights = ansatz.initialize("random", 4, torch.Generator().manual_seed(0)).double().requires_grad_()
    found, expected = by_matrices(executor, weights), by_probes(executor, weights)
    torch.testing.assert_close(found, expected, atol=1e-13, rtol=0)
    upstream = torch.randn(found.shape, dtype=found.dtype, generator=torch.Generator().manual_seed(1))
    gradients = [torch.autograd.grad(result, weights, upstream)[0] for result in (found, expected)]
    torch.testing.assert_close(*gradients, atol=1e-12, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_and_shape(dtype):
    """Of the weights; double precision inside."""
    weights = torch.randn(7, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = exact_or_probed(BlockExecutor(circuits.get("u_cu"), EXACT), weights.to(dtype))
    assert (found.shape, found.dtype) == ((7, 3, 3), dtype)
    exact = exact_or_probed(BlockExecutor(circuits.get("u_cu"), EXACT), weights)
    torch.testing.assert_close(found.double(), exact, atol=1e-6 if dtype == torch.float32 else 0, rtol=0)


@pytest.mark.parametrize(
    "device",
    [
        "lightning.qubit", "default.qubit?shots=10", "default.mixed?noise=depolarizing:0.1", "default.qubit?wires=3",
        "default.qubit?diff_method=adjoint",
    ],
)  # fmt: skip
def test_other_devices_run_their_circuits(device):
    """Only plain default.qubit is replaced."""
    assert not BlockExecutor(circuits.get("rotor"), DeviceSpec.parse(device)).by_matrices


def test_circuits_without_matrices_are_probed():
    """A measurement inside a block has no matrix."""
    ansatz = Ansatz("measured", measured, ("a",), {"random": Normal(1)}, "here")
    assert not is_unitary(ansatz)
    head = QuantumProjection(8, 2, ansatz, init="random")
    assert head(torch.randn(3, 8)).shape == (3, 2)


def test_no_circuit_runs():
    """A head on default.qubit builds no device in interpolated mode."""
    for kind in (QuantumProjection, CoherentProjection):
        head = kind(8, 2)
        head(torch.randn(3, 8)).sum().backward()
        assert "device" not in head.executor._live
