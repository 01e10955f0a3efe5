"""The head equals plain matrix products, for every ansatz, plan and mode."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hybrid_qproj import QuantumProjection, circuits, fidelity
from hybrid_qproj.plan import Plan, Stage

MIXING = Plan(
    5,
    (
        Stage((0, 1, 4), (1, 0, 2)),  # 0 and 1 mix: both go on
        Stage((2, 2), (0, 3)),  # one control, read twice; 3 waited
    ),
    (3, 0, 1),
    "mixing",
)
PLANS = {"chain": ("chain", 6, 2), "tree": ("tree", 7, 2), "ragged": ("chain", 7, 3), "mixing": (MIXING, 5, 3)}


@pytest.mark.parametrize("mode", ["interpolated", "direct"])
@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("name", circuits.names())
def test_head_equals_matrix_products(oracle, name, plan, mode):
    """Outputs agree to 2e-7 rad (arccos amplifies rounding) with state vectors multiplied out gate by gate."""
    kind, d, k = PLANS[plan]
    torch.manual_seed(1)
    head = QuantumProjection(d, k, name, f"default.qubit?mode={mode}", kind, "random", scale=1.3).double()
    x = torch.randn(3, d, dtype=torch.float64)
    stages = [(stage.control, stage.kept) for stage in head.plan.stages]
    weights = [stage.weights.detach().numpy() for stage in head.stages]
    expected = [oracle.head(name, row, stages, head.plan.output, weights, 1.3) for row in x.numpy()]
    np.testing.assert_allclose(head(x).detach().numpy(), expected, rtol=0, atol=2e-7)


def test_rotor_closed_form(oracle):
    """The rotor's readout is cos(alpha) cos(b) + sin(alpha) sin(b) cos(c): a plane rotation that keeps one feature."""
    for alpha, c, b in np.random.default_rng(0).normal(size=(10, 3)):
        closed = np.cos(alpha) * np.cos(b) + np.sin(alpha) * np.sin(b) * np.cos(c)
        assert oracle.block("rotor", np.array([alpha]), c, b) == pytest.approx(closed, abs=1e-12)


def test_fidelity_equals_state_overlap(oracle):
    """The fidelity is the squared overlap of the full product states."""
    a, b = np.random.default_rng(1).uniform(0, np.pi, size=(2, 8))
    assert fidelity(torch.tensor(a), torch.tensor(b)).item() == pytest.approx(oracle.fidelity(a, b), rel=1e-10)
