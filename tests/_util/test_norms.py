"""Unit vectors of any finite numbers, and gradients that half precision can hold."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

from hybrid_qproj import QuantumProjection
from hybrid_qproj._util.norms import tanh_of_sums, unit, units_and_norms, widened
from hybrid_qproj.contraction import projector
from hybrid_qproj.similarity.fidelity import cosine, pairwise_cosine

LARGE = {torch.float32: [1e19, 1e30, 3.4e38], torch.float64: [1e154, 1e200, 1.7e308]}


@pytest.mark.parametrize("dtype", LARGE)
def test_ordinary_vectors_are_bit_equal(dtype):
    """What torch's own function gives, also beside vectors that are not ordinary."""
    x = torch.randn(20, 7, dtype=dtype)
    assert torch.equal(unit(x), normalize(x, dim=-1))
    assert torch.equal(units_and_norms(x)[0], normalize(x, dim=-1))
    x[3], x[5] = 0, LARGE[dtype][1]
    ordinary = [row for row in range(20) if row not in (3, 5)]
    for found in (unit(x), units_and_norms(x)[0]):
        assert torch.equal(found[ordinary], normalize(x, dim=-1)[ordinary])
        assert not found[3].any()


@pytest.mark.parametrize(("dtype", "large"), [(dtype, large) for dtype, many in LARGE.items() for large in many])
def test_huge_vectors_keep_their_direction(dtype, large):
    """Squares overflow; the direction and its gradient do not."""
    x = torch.tensor([[0.5, -1.0, 1e-20, 0.0]], dtype=dtype) * large
    expected = torch.tensor([[0.5, -1.0, 0.0, 0.0]], dtype=dtype) / 1.25**0.5
    torch.testing.assert_close(unit(x), expected)
    found, norm, short = units_and_norms(x)
    torch.testing.assert_close(found, expected)
    # Of the largest ones the norm itself is beyond the dtype.
    length = torch.tensor([[1.25**0.5 * large]], dtype=torch.float64).to(dtype)
    torch.testing.assert_close(norm, length)
    assert short is None or not short.any()
    torch.testing.assert_close(cosine(x, expected), torch.ones(1, dtype=dtype))
    torch.testing.assert_close(pairwise_cosine(x, -expected), -torch.ones(1, 1, dtype=dtype))
    x.requires_grad_()
    (by_x,) = torch.autograd.grad(unit(x)[0, 0], x)
    torch.testing.assert_close(by_x * large, torch.autograd.grad(unit(x / large)[0, 0], x)[0] * large)


def test_no_direction_no_gradient():
    """A vector below the least norm is divided by that, and pulls nothing."""
    x = torch.tensor([[3e-13, 4e-13], [0.0, 0.0], [3.0, 4.0]], dtype=torch.float64, requires_grad=True)
    value = unit(x)
    torch.testing.assert_close(value[:2], x[:2].detach() / 1e-12)
    (by_x,) = torch.autograd.grad(value.sum(), x)
    assert not by_x[:2].any()
    torch.testing.assert_close(by_x[2], torch.tensor([0.032, -0.024], dtype=torch.float64))
    assert torch.autograd.gradcheck(unit, (torch.randn(3, 4, dtype=torch.float64, requires_grad=True),))


def test_without_width_and_in_vmap():
    """Vectors of no numbers, and one at a time by torch.func."""
    assert unit(torch.zeros(3, 0)).shape == (3, 0)
    x = torch.randn(5, 4)
    x[2] = 0
    torch.testing.assert_close(torch.func.vmap(unit)(x), unit(x))
    torch.testing.assert_close(torch.func.vmap(cosine)(x, x), cosine(x, x))


@pytest.mark.parametrize("x", [torch.randn(4, 6), torch.tensor([[3e38, -3e38], [0.0, 0.0]])])
def test_traced(x):
    """A traced graph, which cannot look at values, gives the same."""
    torch.testing.assert_close(torch.compile(unit, backend="eager", fullgraph=True)(x), unit(x))
    weight, bias = torch.randn(3, x.shape[-1]), torch.randn(3)
    both = lambda v: tanh_of_sums(torch.nn.functional.linear, v, weight, bias)  # noqa: E731 - compiled and not
    torch.testing.assert_close(torch.compile(both, backend="eager", fullgraph=True)(x), both(x))


@pytest.mark.parametrize("tile", [1 << 19, 40])
def test_head_on_huge_embeddings(tile, monkeypatch):
    """A head that normalises gives a huge embedding the angles of its direction, whichever way it is computed."""
    monkeypatch.setattr(projector, "NUMBERS_PER_PIECE", tile)
    head = QuantumProjection(20, 6, normalize=True, scale=2.0, init="random")
    x = torch.randn(9, 20)
    huge = x * 3e37
    torch.testing.assert_close(head(huge), head(x))
    with torch.no_grad():
        torch.testing.assert_close(head(huge), head(x))
        torch.testing.assert_close(head(x.to(torch.float16) * 1e4), head((x.to(torch.float16) * 1e4).float()).half())
    gradients = []
    for scale in (1.0, 3e37):
        leaf = (x * scale).requires_grad_()
        gradients.append(torch.autograd.grad(head(leaf).square().sum(), [leaf, *head.parameters()]))
    for a, b in zip(gradients[0][1:], gradients[1][1:], strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(gradients[0][0], gradients[1][0] * 3e37, atol=1e-3, rtol=1e-3)


def test_tanh_saturates():
    """Where sums would be inf or inf - inf, tanh is what it is for very large sums; ordinary rows are untouched."""
    largest = torch.finfo(torch.float32).max
    weight = torch.tensor([[8.0, 8.0, 4.0], [1.0, -1.0, 0.0]])
    x = torch.tensor([[largest, largest, -largest], [-largest, 0.0, 0.0], [0.1, 0.2, -0.3]])
    found = tanh_of_sums(torch.nn.functional.linear, x, weight)
    assert torch.equal(found[:2], torch.tensor([[1.0, 0.0], [-1.0, -1.0]]))
    assert torch.equal(found[2], torch.tanh(torch.nn.functional.linear(x, weight))[2])
    assert torch.equal(tanh_of_sums(torch.nn.functional.linear, x[2:], weight), found[2:])


def test_widened_bounds_its_gradient():
    """Values as by ``to``; what half precision cannot hold comes back as a quarter of what it can."""
    x = torch.tensor([1.5, -2.0, 3.0], dtype=torch.float16, requires_grad=True)
    wide = widened(x, torch.float32)
    assert torch.equal(wide, x.float())
    wide.backward(torch.tensor([1e9, -1e9, 7.0]))
    assert x.grad.tolist() == [16376.0, -16376.0, 7.0]
    assert widened(wide, torch.float32) is wide
    assert torch.autograd.gradgradcheck(lambda v: widened(v.float(), torch.float64).sin(),
                                        torch.randn(3, dtype=torch.float64, requires_grad=True),
                                        atol=1e-3, rtol=1e-2, eps=1e-3)  # fmt: skip
