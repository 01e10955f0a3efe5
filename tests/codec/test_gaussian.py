"""Lloyd-Max levels of a normal distribution."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm

from hybrid_qproj.codec.gaussian import levels, nearest

# Of the table in Max, Quantizing for minimum distortion, IRE Transactions on Information Theory 6 (1960): mean squared
# errors of 2, 4, 8 and 16 levels.
ERRORS = {1: 0.3634, 2: 0.1175, 3: 0.03454, 4: 0.009497}


@pytest.mark.parametrize("bits", range(9))
def test_levels_are_the_means_of_their_cells(bits):
    """Lloyd's two conditions, by an integral that shares nothing with the code."""
    found = np.array(levels(bits))
    assert len(found) == 2**bits
    assert (np.diff(found) > 0).all()
    assert (found == -found[::-1]).all()
    ends = np.concatenate([[-12], (found[1:] + found[:-1]) / 2, [12]])
    for low, high, level in zip(ends, ends[1:], found, strict=False):
        x = np.linspace(low, high, 4001)
        mean = np.trapezoid(x * norm.pdf(x), x) / np.trapezoid(norm.pdf(x), x)
        assert mean == pytest.approx(level, abs=2e-5)


@pytest.mark.parametrize("bits", ERRORS)
def test_errors_are_the_published_ones(bits):
    found = np.array(levels(bits))
    x = np.linspace(-10, 10, 400_001)
    error = np.abs(x[:, None] - found[None]).min(axis=1) if bits < 3 else _nearest_error(x, found)
    assert np.trapezoid(error**2 * norm.pdf(x), x) == pytest.approx(ERRORS[bits], rel=1e-3)


def _nearest_error(x, found):
    return np.abs(x - found[np.searchsorted((found[1:] + found[:-1]) / 2, x)])


def test_nearest():
    """By trying them all."""
    values = torch.linspace(-6, 6, 997)
    for bits in (0, 1, 3, 8):
        table = torch.tensor(levels(bits), dtype=torch.float64)
        expected = (values.double()[:, None] - table).abs().argmin(dim=1)
        assert torch.equal(nearest(values, bits).long(), expected)
