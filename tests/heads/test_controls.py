"""Heads that differ from the classical one in one thing."""

from __future__ import annotations

import math

import torch

from hybrid_qproj.heads.controls import LinearAngles, UnboundedLinear
from hybrid_qproj.heads.linear import ClassicalProjection
from hybrid_qproj.similarity.fidelity import fidelity


def pair(cls):
    """The control and a classical head of the same weights."""
    return tuple(made(12, 4, generator=torch.Generator().manual_seed(0)) for made in (cls, ClassicalProjection))


def test_angles_of_a_linear_layer():
    """The classical head's outputs on the scale of angles, compared as a quantum head's are."""
    control, classical = pair(LinearAngles)
    x, y = torch.randn(2, 5, 12)
    torch.testing.assert_close(control(x), math.pi / 2 * (1 + classical(x)))
    a, b = control(x), control(y)
    torch.testing.assert_close(control.pairwise_similarity(a, b).diagonal().exp(), fidelity(a, b))


def test_no_bound():
    """The classical head's before its tanh."""
    control, classical = pair(UnboundedLinear)
    x = 9 * torch.randn(5, 12)
    assert control(x).abs().max() > 1
    torch.testing.assert_close(control(x).tanh(), classical(x))
