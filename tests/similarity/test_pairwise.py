"""All pairs give what pairs one by one give, whatever the tiles and however many qubits are orthogonal."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hybrid_qproj import fidelity, log_fidelity, pairwise_fidelity, pairwise_log_fidelity
from hybrid_qproj.similarity import pairwise


def _angles(*shape, dtype=torch.float64):
    return torch.rand(*shape, dtype=dtype) * math.pi


@given(n=st.integers(0, 5), m=st.integers(0, 5), k=st.integers(1, 9), seed=st.integers(0, 99))
def test_pairwise_equals_paired(n, m, k, seed):
    """All pairs at once give what pairs one by one give, for any size, empty ones too."""
    torch.manual_seed(seed)
    a, b = _angles(n, k), _angles(m, k)
    torch.testing.assert_close(pairwise_log_fidelity(a, b), log_fidelity(a[:, None], b[None]))
    torch.testing.assert_close(pairwise_fidelity(a, b), fidelity(a[:, None], b[None]))


def test_tiles_do_not_matter(monkeypatch):
    """Values and gradients are the same whatever the size of a tile."""
    a, b = _angles(7, 6).requires_grad_(), _angles(5, 6).requires_grad_()
    results = []
    for tile in (1 << 18, 8):
        monkeypatch.setattr(pairwise, "PAIRS_PER_TILE", tile)
        scores = pairwise_log_fidelity(a, b)
        results.append((scores.detach(), *torch.autograd.grad(scores.sin().sum(), (a, b))))
    for whole, tiled in zip(*results, strict=True):
        torch.testing.assert_close(whole, tiled)


def test_memory_is_bounded(monkeypatch):
    """No temporary is larger than a tile, whatever the number of qubits: rows and columns are cut to fit."""
    sizes = []
    add = pairwise._add_products
    monkeypatch.setattr(pairwise, "PAIRS_PER_TILE", 1000)
    monkeypatch.setattr(pairwise, "_add_products", lambda total, *a: sizes.append(total.numel()) or add(total, *a))
    pairwise_log_fidelity(_angles(150, 9), _angles(50, 9))
    assert max(sizes) <= 1000
    assert sum(sizes) == 150 * 50


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_orthogonal_qubits_among_others(dtype):
    """A product of overlaps that vanishes counts each of them as the paired form does."""
    a, b = _angles(3, 20, dtype=dtype), _angles(4, 20, dtype=dtype)
    a[:, [0, 3, 11, 19]], b[:, [0, 3, 11, 19]] = 0.0, math.pi
    if dtype == torch.float64:
        # In single precision, rounding decides what is left of so small an overlap.
        a[1, 5], b[2, 5] = math.pi / 2 - 1e-10, -math.pi / 2
    torch.testing.assert_close(pairwise_log_fidelity(a, b), log_fidelity(a[:, None], b[None]), atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shift", [0.0, -1.5])
def test_orthogonal_qubits_among_many(dtype, shift):
    """They change the way a product is computed, not its value; angles outside [0, pi] too."""
    a, b = _angles(70, 40).to(dtype), _angles(5, 40).to(dtype)
    a[3, 7], b[2, 7] = 0, torch.pi
    a[4, 33], b[1, 33] = torch.pi, 1e-4
    found = pairwise_log_fidelity(a + shift, b + shift)
    expected = log_fidelity((a + shift).double()[:, None], (b + shift).double())
    # Where cos(delta / 2) is small, it is as exact as the angles are.
    slack = 1e-4 if dtype == torch.float32 else 1e-10
    rough = torch.zeros_like(found, dtype=torch.bool)
    rough[3, 2] = rough[4, 1] = True
    torch.testing.assert_close(found.double()[~rough], expected[~rough], atol=slack, rtol=0)
    assert (found[3, 2].double() - expected[3, 2]).abs() < 10
    assert (found[4, 1].double() - expected[4, 1]).abs() < 0.02
