"""Fidelity in log space: exact, symmetric, bounded, differentiable."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_qproj import (
    fidelity,
    log_fidelity,
    pairwise_fidelity,
    pairwise_log_fidelity,
)


def _angles(*shape, dtype=torch.float64):
    return torch.rand(*shape, dtype=dtype) * math.pi


@settings(max_examples=25)
@given(k=st.integers(1, 300), seed=st.integers(0, 99))
def test_symmetric_bounded_and_one_with_itself(k, seed):
    """0 <= F <= 1, F(a, b) = F(b, a), F(a, a) = 1."""
    torch.manual_seed(seed)
    a, b = _angles(4, k, dtype=torch.float32), _angles(3, k, dtype=torch.float32)
    scores = pairwise_log_fidelity(a, b)
    assert (scores <= 0).all()
    torch.testing.assert_close(scores, pairwise_log_fidelity(b, a).T, rtol=1e-6, atol=1e-6)
    assert torch.equal(fidelity(a, a), torch.ones(4))
    torch.testing.assert_close(pairwise_fidelity(a, a).diagonal(), torch.ones(4), rtol=0, atol=1e-4)


def test_no_underflow():
    """Hundreds of random qubits: the fidelity underflows single precision, its logarithm does not."""
    a, b = _angles(64, 512, dtype=torch.float32), _angles(64, 512, dtype=torch.float32)
    scores = pairwise_log_fidelity(a, b)
    assert scores.max() < math.log(torch.finfo(torch.float32).tiny)
    torch.testing.assert_close(scores.double(), pairwise_log_fidelity(a.double(), b.double()), rtol=1e-5, atol=1e-4)


def test_gradcheck():
    """Gradients of both forms equal finite differences."""
    a, b = _angles(3, 5).requires_grad_(), _angles(4, 5).requires_grad_()
    assert torch.autograd.gradcheck(pairwise_log_fidelity, (a, b))
    assert torch.autograd.gradcheck(lambda x, y: log_fidelity(x[:3], y[:3]), (a, b))


@pytest.mark.parametrize("function", [log_fidelity, pairwise_log_fidelity])
def test_orthogonal_states(function):
    """Orthogonal qubits give a finite, very low score and finite gradients."""
    a = torch.tensor([[0.0, 0.5]], requires_grad=True)
    score = function(a, torch.tensor([[math.pi, 0.5]]))
    assert -100 < score.item() < -30
    score.sum().backward()
    assert a.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(dtype):
    """Half-precision angles are upcast before anything is summed."""
    a = _angles(3, 40).to(dtype)
    assert pairwise_log_fidelity(a, a).dtype == torch.float32
    torch.testing.assert_close(log_fidelity(a[:1], a[1:]), log_fidelity(a[:1].float(), a[1:].float()))


def test_bad_input():
    """Widths that differ, and wrong axes."""
    with pytest.raises(ValueError, match=r"shapes \(2, 3\) and \(2, 4\); expected last axes of the same width"):
        fidelity(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(ValueError, match=r"expected \(n, k\) and \(m, k\)"):
        pairwise_fidelity(torch.zeros(3), torch.zeros(2, 3))
