"""Polynomials against double precision, on all of what they take."""

from __future__ import annotations

import math

import pytest
import torch

from hybrid_qproj.contraction.elementary import arccos, tanh, turned

NEAR = torch.logspace(-30, 0, 5000)
UNIT = torch.cat([torch.linspace(-1, 1, 200_001), NEAR, -NEAR, 1 - NEAR, NEAR - 1])
LINE = torch.cat([torch.linspace(-12, 12, 200_001), torch.logspace(-38, 38, 5000), -torch.logspace(-38, 38, 5000)])


def off(found, exact):
    assert found.dtype == torch.float32
    return (found.double() - exact).abs().max().item()


@pytest.fixture(params=["as they are", pytest.param("compiled", marks=pytest.mark.slow)])
def wrap(request):
    return torch.compile if request.param == "compiled" else lambda function: function


def test_tanh(wrap):
    """Never above 1."""
    found = wrap(tanh)(LINE)
    assert off(found, LINE.double().tanh()) < 4e-7
    assert float(found.abs().max()) == 1


def test_turned(wrap):
    """At the poles the sine is zero."""
    cosine, sine = wrap(turned)(UNIT)
    half = UNIT.double() * (math.pi / 2)
    assert off(cosine, -half.sin()) < 2e-7
    assert off(sine, -half.cos()) < 2e-7
    assert not bool(sine[UNIT.abs() == 1].any())


def test_arccos(wrap):
    """In [0, pi], up to both ends."""
    found = wrap(arccos)(UNIT)
    assert off(found, UNIT.double().acos()) < 5e-7
    assert found.min() == 0
    assert found.max() == torch.tensor(math.pi)


def test_double_precision():
    """Is torch's own."""
    x, t = LINE.double(), UNIT.double()
    torch.testing.assert_close(tanh(x), x.tanh(), atol=0, rtol=0)
    cosine, sine = turned(t)
    torch.testing.assert_close(cosine, -(t * math.pi / 2).sin(), atol=1e-15, rtol=0)
    torch.testing.assert_close(sine, -(t * math.pi / 2).cos(), atol=1e-15, rtol=0)
    torch.testing.assert_close(arccos(t), t.acos(), atol=0, rtol=0)
