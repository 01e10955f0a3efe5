"""From an ansatz and a device to a QNode, and rows through it."""

from __future__ import annotations

import copy

import pennylane as qml
import pytest
import torch

from hybrid_qproj import circuits, torch_layer
from hybrid_qproj.blocks import executor as module
from hybrid_qproj.blocks.executor import BlockExecutor
from hybrid_qproj.devices import DeviceSpec


def _executor(device, name="rotor"):
    return BlockExecutor(circuits.get(name), DeviceSpec.parse(device))


def test_no_jacobian_under_no_grad():
    """An adjoint device computes no derivative when none is wanted."""
    layer = torch_layer("rotor", blocks=2, device="lightning.qubit")
    with qml.Tracker(layer.executor.device) as tracker, torch.no_grad():
        layer(torch.rand(3, 4))
    assert tracker.totals["executions"] == 6
    assert not any("derivative" in key for key in tracker.totals)


@pytest.mark.parametrize("device", ["default.qubit", "lightning.qubit"])
def test_rows_in_several_calls(device, monkeypatch):
    """What does not fit in one broadcast call goes in several, gradients too."""
    executor = _executor(device)
    inputs, weights = torch.rand(7, 2, dtype=torch.float64), torch.rand(7, 1, dtype=torch.float64).requires_grad_()
    whole = executor(inputs, weights)
    (gradient,) = torch.autograd.grad(whole.sum(), weights)
    monkeypatch.setattr(module, "CIRCUITS_PER_CALL", 3)
    cut = executor(inputs, weights)
    torch.testing.assert_close(cut, whole)
    torch.testing.assert_close(torch.autograd.grad(cut.sum(), weights)[0], gradient)


@pytest.mark.parametrize(
    ("device", "by_matrices"),
    [
        ("default.qubit", True),
        ("default.qubit?mode=direct", False),
        ("default.qubit?max_workers=1", False),
        ("default.qubit?shots=10&seed=1", False),
        ("default.mixed", False),
        ("lightning.qubit", False),
    ],
)
def test_whose_blocks_are_matrices(device, by_matrices):
    """A device of which nothing is asked but its exact values."""
    assert _executor(device).by_matrices is by_matrices


def test_consent_is_not_copied():
    """Copies build a device of their own, and ask again where that can cost money."""
    executor = BlockExecutor(circuits.get("rotor"), DeviceSpec.parse("default.qubit"), allow_paid=True)
    live = executor.device
    twin = copy.deepcopy(executor)
    assert not twin.allow_paid
    assert twin.device is not live


def test_a_second_backward_pass_over_a_freed_graph():
    """Is torch's usual error where the gradient is made of circuits, too."""
    weights = torch.rand(2, 1, requires_grad=True)
    values = _executor("lightning.qubit")(torch.rand(2, 2), weights)
    values.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        values.sum().backward()
