"""Large batches, piece by piece or compiled, give what plain operations give: values and every gradient."""

from __future__ import annotations

import copy
import pickle
import shutil

import pytest
import torch

from hybrid_qproj import QuantumProjection
from hybrid_qproj.contraction import projector
from hybrid_qproj.plan import Plan, Stage

MIXING = Plan(6, (Stage((0, 1, 3), (1, 0, 2)), Stage((5, 0), (4, 1))), (1, 4, 0), "mixing")


def build(plan="tree", scale=2.0, normalize=True):
    features, outputs = (6, 3) if isinstance(plan, Plan) else (20, 6)
    head = QuantumProjection(
        features, outputs, "u_cu", plan=plan, init="random", scale=scale, normalize=normalize,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    return head.double()


def outcome(head, x, create_graph=False):
    """Angles, and gradients by the embeddings and all parameters."""
    x = x.clone().requires_grad_()
    angles = head(x)
    upstream = torch.cos(torch.arange(angles.numel(), dtype=angles.dtype)).view_as(angles)
    return angles, torch.autograd.grad(angles, [x, *head.parameters()], upstream, create_graph=create_graph)


@pytest.fixture
def pieces(monkeypatch):
    """Pieces of three rows and a rest."""

    def cut(head):
        monkeypatch.setattr(projector, "NUMBERS_PER_PIECE", 3 * head.in_features)

    return cut


HEADS = [("tree", 2.0, True), ("chain", None, False), ("chain", 0.5, False), (MIXING, 1.0, True)]


@pytest.mark.parametrize("arguments", HEADS, ids=str)
def test_pieces(arguments, pieces):
    """Rows that do not divide into pieces, with and without scale and normalisation, plans with indices."""
    head = build(*arguments)
    x = torch.randn(2, 5, head.in_features, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected, gradients = outcome(head, x)
    pieces(head)
    found, found_gradients = outcome(head, x)
    assert "Fused" in str(found.grad_fn.next_functions) or "Fused" in str(found.grad_fn)
    torch.testing.assert_close(found, expected, atol=1e-14, rtol=0)
    for a, b in zip(found_gradients, gradients, strict=True):
        torch.testing.assert_close(a, b, atol=1e-12, rtol=0)


@pytest.mark.parametrize("normalize", [False, True])
def test_pieces_at_the_edges(normalize, pieces):
    """Saturated angles, readouts of exactly +-1, and rows without a direction: the same finite gradients."""
    head = build("chain", 1.0, normalize)
    torch.nn.init.zeros_(head.layers[0].weights)
    x = torch.randn(7, 20, dtype=torch.float64)
    x[0], x[1], x[2, ::2], x[3] = 60.0, -60.0, 60.0, 0.0
    expected, gradients = outcome(head, x)
    pieces(head)
    found, found_gradients = outcome(head, x)
    torch.testing.assert_close(found, expected, atol=1e-14, rtol=0)
    for a, b in zip(found_gradients, gradients, strict=True):
        assert a.isfinite().all()
        torch.testing.assert_close(a, b, atol=1e-12, rtol=1e-12)


def test_only_wanted_gradients(pieces):
    """Frozen embeddings, or a frozen head."""
    head = build()
    x = torch.randn(8, 20, dtype=torch.float64)
    _, gradients = outcome(head, x)
    pieces(head)
    head(x).sum().backward()
    assert all(parameter.grad is not None for parameter in head.parameters())
    head.requires_grad_(False)
    leaf = x.clone().requires_grad_()
    upstream = torch.cos(torch.arange(48, dtype=x.dtype)).view(8, 6)
    (by_x,) = torch.autograd.grad(head(leaf), leaf, upstream)
    torch.testing.assert_close(by_x, gradients[0], atol=1e-12, rtol=0)


def test_second_derivatives(pieces):
    """A gradient that is differentiated again."""
    head = build("chain", None, False)
    x = torch.randn(8, 20, dtype=torch.float64)

    def second():
        _, gradients = outcome(head, x, create_graph=True)
        return torch.autograd.grad(gradients[0].square().sum(), head.layers[0].weights)[0]

    expected = second()
    pieces(head)
    torch.testing.assert_close(second(), expected, atol=1e-11, rtol=0)


def test_functional_transforms(pieces):
    """torch.func.grad over a batch in pieces."""
    head = build("chain", None, False)
    x = torch.randn(8, 20, dtype=torch.float64)
    expected = torch.func.grad(lambda v: head(v).square().sum())(x)
    pieces(head)
    torch.testing.assert_close(torch.func.grad(lambda v: head(v).square().sum())(x), expected)


def test_empty_batch(pieces):
    """No rows, no pieces."""
    head = build()
    pieces(head)
    assert head(torch.zeros(0, 20, dtype=torch.float64)).shape == (0, 6)


def test_without_a_compiler(monkeypatch):
    """A warning, and the head works as before."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    head = build()
    with pytest.warns(UserWarning, match=r"no C\+\+ compiler found"):
        head.compile()
    assert head(torch.randn(4, 20, dtype=torch.float64)).shape == (4, 6)
    with pytest.raises(TypeError, match=r"call compile\(\) without arguments"):
        head.compile(mode="max-autotune")


needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="needs a C++ compiler"
)


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("arguments", [HEADS[1], HEADS[3]], ids=str)
def test_compiled(arguments):
    """Every gradient, other batch sizes, copies and pickles of a compiled head."""
    head = build(*arguments)
    compiled = copy.deepcopy(head)
    compiled.compile()
    for rows in (7, 64, 1000):
        x = torch.randn(rows, head.in_features, dtype=torch.float64, generator=torch.Generator().manual_seed(rows))
        for a, b in zip(torch.utils._pytree.tree_leaves(outcome(compiled, x)),
                        torch.utils._pytree.tree_leaves(outcome(head, x)), strict=True):  # fmt: skip
            torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-9)
    again = pickle.loads(pickle.dumps(compiled))  # noqa: S301 - our own bytes
    torch.testing.assert_close(again(x), head(x))


@pytest.mark.slow
@needs_compiler
def test_inside_a_compiled_model():
    """torch.compile of a model that holds a head."""
    model = torch.nn.Sequential(build("chain", None, False).float(), torch.nn.Linear(6, 2))
    x = torch.randn(9, 20)
    expected = model(x)
    torch.testing.assert_close(torch.compile(model)(x), expected, atol=1e-5, rtol=1e-5)
