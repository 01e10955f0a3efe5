"""Embedding to angles, and back onto the Bloch circle."""

from __future__ import annotations

import math

import pytest
import torch

from hybrid_qproj.encoding import AngleEncoding, reprepare


def test_published_angles():
    """Cosine and sine of -theta with theta = pi/2 (1 + tanh x)."""
    x = torch.linspace(-4, 4, 41, dtype=torch.float64)
    theta = math.pi / 2 * (1 + x.tanh())
    cosine, sine = AngleEncoding()(x)
    torch.testing.assert_close(cosine, theta.cos())
    torch.testing.assert_close(sine, (-theta).sin())


def test_normalisation_and_scale():
    """Normalised embeddings do not depend on their length; the scale multiplies and learns."""
    x = torch.randn(3, 5)
    encoding = AngleEncoding(normalize=True, scale=2.0)
    torch.testing.assert_close(encoding(x), encoding(7 * x))
    torch.testing.assert_close(encoding(x), AngleEncoding()(2 * torch.nn.functional.normalize(x, dim=-1)))
    encoding(x)[0].sum().backward()
    assert encoding.scale.grad.abs() > 0
    assert not AngleEncoding(scale=2.0, learn_scale=False).scale.requires_grad


@pytest.mark.parametrize("scale", [0, -1.0, math.nan, math.inf, 1e39, "1", True])
def test_bad_scale(scale):
    """A scale that is no positive number is refused."""
    with pytest.raises(ValueError, match="expected a positive finite number or None"):
        AngleEncoding(scale=scale)


def test_reprepare():
    """sqrt(1 - z^2), with a finite gradient everywhere: 0 where the true one has no limit."""
    z = torch.tensor([-1.0, -1 + 1e-7, -0.5, 0.0, 1 - 6e-8, 1.0], requires_grad=True)
    x = reprepare(z)
    torch.testing.assert_close(x, (1 - z.double() ** 2).sqrt().float(), atol=1e-4, rtol=1e-3)
    x.sum().backward()
    assert z.grad.isfinite().all()
    assert z.grad[0] == z.grad[-1] == 0
