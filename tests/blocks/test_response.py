"""Nine probes are enough, and no circuit runs without need."""

from __future__ import annotations

import pennylane as qml
import pytest
import torch

from hybrid_qproj import QuantumProjection, circuits
from hybrid_qproj.blocks.executor import BlockExecutor
from hybrid_qproj.blocks.response import PROBES_PER_BLOCK, block_responses, contract, fit_response, probe_angles
from hybrid_qproj.devices import DeviceSpec


@pytest.mark.parametrize("name", circuits.names())
def test_response_predicts_any_input(oracle, name):
    """The tensor of nine probes gives the circuit's value anywhere."""
    ansatz = circuits.get(name)
    weights = ansatz.initialize("random", 3).double()
    response = block_responses(BlockExecutor(ansatz, DeviceSpec("default.qubit")), weights)
    a, b = torch.rand(2, 7, 3, dtype=torch.float64) * 12 - 6
    z = contract(response, (a.cos(), a.sin()), (b.cos(), b.sin()))
    for i in range(7):
        for g in range(3):
            expected = oracle.block(name, weights[g].numpy(), a[i, g].item(), b[i, g].item())
            assert z[i, g].item() == pytest.approx(expected, abs=1e-12)


def test_fit_is_the_inverse_of_probing():
    """Probing a known response gives it back, and the nine probes are well-conditioned."""
    response = torch.randn(5, 3, 3, dtype=torch.float64)
    a, b = probe_angles(response).unbind(1)
    features = [torch.stack([torch.ones_like(t), t.cos(), t.sin()]) for t in (a, b)]
    values = torch.einsum("gij,ip,jp->gp", response, *features)
    torch.testing.assert_close(fit_response(values), response)


def test_contract_stays_on_the_bloch_sphere():
    """A measured response may exceed one; z may not."""
    one = torch.ones(1, 1)
    assert contract(torch.full((1, 3, 3), 0.9), (one, one), (one, one)).item() == 1


def _executions(head, run):
    with qml.Tracker(head.executor.device) as tracker:
        run()
    return tracker.totals.get("executions", 0) + tracker.totals.get("derivatives", 0)


def _step(head, batch):
    x = torch.randn(batch, head.in_features)
    head(x).sum().backward()


@pytest.mark.parametrize("device", ["default.mixed", "lightning.qubit"])
def test_circuits_a_step_do_not_depend_on_the_batch(device):
    """A training step runs nine circuits a block at batch 8 and at batch 512."""
    head = QuantumProjection(8, 3, "rotor", device)
    counts = [_executions(head, lambda b=batch: _step(head, b)) for batch in (8, 512)]
    assert counts[0] == counts[1]
    assert counts[0] >= PROBES_PER_BLOCK * head.plan.blocks


def test_direct_mode_runs_a_circuit_a_block_and_embedding():
    """The other mode's count, for comparison."""
    head = QuantumProjection(8, 3, "rotor", "default.qubit?mode=direct").eval()
    assert _executions(head, lambda: head(torch.randn(7, 8))) == 7 * head.plan.blocks
