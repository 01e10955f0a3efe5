"""Responses are computed when the weights change, and only then."""

from __future__ import annotations

import pennylane as qml
import pytest
import torch

from hybrid_qproj import QuantumProjection


def _executions(head, run):
    with qml.Tracker(head.executor.device) as tracker:
        run()
    return tracker.totals.get("executions", 0) + tracker.totals.get("derivatives", 0)


@pytest.mark.parametrize("grad", [True, False])
def test_eval_with_unchanged_weights_runs_no_circuit(grad):
    """The first call measures, later ones do not, whether or not gradients are on."""
    head = QuantumProjection(8, 3, device="lightning.qubit").eval()
    with torch.set_grad_enabled(grad):
        assert _executions(head, lambda: head(torch.randn(4, 8))) == 9 * 5
        assert _executions(head, lambda: head(torch.randn(400, 8))) == 0


CHANGES = {
    "data": lambda h: h.stages[0].weights.data.add_(0.5),
    "in place": lambda h: torch.nn.init.normal_(h.stages[0].weights),
    "assign": lambda h: h.load_state_dict(QuantumProjection(8, 3, init="random").state_dict(), assign=True),
    "device": lambda h: h.to_device("lightning.qubit"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changes_are_noticed(change):
    """However the weights or the device change, the next output is that of a new head."""
    head = QuantumProjection(8, 3, init="random").eval()
    x = torch.randn(4, 8)
    head(x)
    change(head)
    fresh = QuantumProjection(8, 3).eval()
    fresh.load_state_dict(head.state_dict())
    torch.testing.assert_close(head(x), fresh(x))


def test_functional_call_in_eval():
    """Cached responses belong to the weights they were measured with."""
    head, other = (QuantumProjection(8, 3, init="random").eval() for _ in range(2))
    x = torch.randn(4, 8)
    head(x)
    torch.testing.assert_close(torch.func.functional_call(head, dict(other.named_parameters()), (x,)), other(x))


def test_gradient_in_eval_mode():
    """Eval mode takes cached values but can give the gradient of the weights on demand."""
    head = QuantumProjection(8, 3, init="random").double()
    x = torch.randn(4, 8, dtype=torch.float64)
    gradients = []
    for mode in (True, False):
        head.train(mode)
        gradients.append(torch.autograd.grad(head(x).square().sum(), list(head.parameters())))
    for trained, evaluated in zip(*gradients, strict=True):
        torch.testing.assert_close(trained, evaluated)


def test_inference_mode_first():
    """What inference mode cached can be used by a later training step of what is below."""
    head = QuantumProjection(8, 3).eval().requires_grad_(False)
    x = torch.randn(4, 8)
    with torch.inference_mode():
        head(x)
    x = x.clone().requires_grad_()
    head(x).sum().backward()
    assert x.grad.isfinite().all()
