"""Fidelity of mixed qubits in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from hybrid_qproj.similarity.bloch import log_bloch_fidelity, pairwise_log_bloch_fidelity
from hybrid_qproj.similarity.fidelity import log_fidelity

PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])


def ball(*shape, seed=0):
    """Bloch vectors inside the ball, (..., 3 k)."""
    generator = torch.Generator().manual_seed(seed)
    r = torch.randn(*shape[:-1], 3, shape[-1], generator=generator, dtype=torch.float64)
    r = r / r.norm(dim=-2, keepdim=True) * torch.rand(*shape[:-1], 1, shape[-1], generator=generator)
    return r.flatten(-2)


@given(st.integers(0, 10_000))
def test_equals_the_definition(seed):
    """(tr sqrt(sqrt(rho) sigma sqrt(rho)))^2, for one qubit."""
    r, s = ball(1, seed=seed), ball(1, seed=seed + 1)
    rho, sigma = ((np.eye(2) + np.tensordot(v.numpy(), PAULI, 1)) / 2 for v in (r, s))
    root = sqrtm(rho)
    expected = np.trace(sqrtm(root @ sigma @ root)).real ** 2
    assert log_bloch_fidelity(r, s).exp().item() == pytest.approx(expected, abs=1e-6)


def test_pure_states_agree_with_angles():
    """On the XZ plane's circle it is the fidelity of the measured readout."""
    a, b = torch.rand(2, 5, dtype=torch.float64) * 3
    bloch = [torch.cat([t.sin(), torch.zeros_like(t), t.cos()]) for t in (a, b)]
    assert log_bloch_fidelity(*bloch).item() == pytest.approx(log_fidelity(a, b).item(), abs=1e-6)


def test_pairs_agree_with_paired(monkeypatch):
    """All pairs, also when rows come in tiles."""
    a, b = ball(7, 4), ball(5, 4, seed=3)
    expected = log_bloch_fidelity(a[:, None], b[None])
    assert torch.allclose(pairwise_log_bloch_fidelity(a, b), expected)
    monkeypatch.setattr("hybrid_qproj.similarity.bloch.QUBIT_PAIRS_AT_ONCE", 45)
    assert torch.allclose(pairwise_log_bloch_fidelity(a, b), expected)
    assert pairwise_log_bloch_fidelity(a[:0], b).shape == (0, 5)


def test_gradients_are_finite_at_pure_and_orthogonal_states():
    """At the rim of the ball and where the fidelity is 0."""
    up = torch.tensor([0.0, 0, 1], requires_grad=True)
    value = log_bloch_fidelity(up, torch.tensor([0.0, 0, -1]))
    value.backward()
    assert value.isfinite()
    assert up.grad.isfinite().all()
    inside = ball(3, 2).requires_grad_()
    assert torch.autograd.gradcheck(pairwise_log_bloch_fidelity, (inside, ball(2, 2, seed=5)))


def test_refusals():
    """Widths that differ or are no triples, and axes that are missing."""
    with pytest.raises(ValueError, match="a multiple of 3"):
        log_bloch_fidelity(torch.zeros(4), torch.zeros(4))
    with pytest.raises(ValueError, match="the same width"):
        log_bloch_fidelity(torch.zeros(3), torch.zeros(6))
    with pytest.raises(ValueError, match=r"expected \(n, 3 k\)"):
        pairwise_log_bloch_fidelity(torch.zeros(3), torch.zeros(3))
