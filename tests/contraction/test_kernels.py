"""The GPU's kernels give what plain operations give in double precision; without a GPU, in Triton's interpreter."""

from __future__ import annotations

import copy
import importlib.util
import os

import pytest
import torch

from hybrid_qproj import NotFiniteError, QuantumProjection
from hybrid_qproj.contraction.forest import forest_of
from hybrid_qproj.contraction.projector import Projector

GPU = torch.cuda.is_available()
if importlib.util.find_spec("triton") is None:
    pytest.skip("needs Triton, which comes with torch's CUDA builds", allow_module_level=True)
if not GPU and os.environ.get("TRITON_INTERPRET") != "1":
    pytest.skip("needs a GPU, or TRITON_INTERPRET=1 from the start and Triton 3.7", allow_module_level=True)

kernels = pytest.importorskip("hybrid_qproj.contraction.kernels")

DEVICE = "cuda" if GPU else "cpu"
PLANS = [("chain", 24, 8), ("tree", 24, 8), ("tree", 16, 8), ("chain", 22, 8), ("tree", 21, 8), ("tree", 33, 8)]


@pytest.fixture(autouse=True)
def _few_programs(monkeypatch):
    """The interpreter takes as long for a tile of any size; several tiles and programs there are still."""
    if not GPU:
        for name in ("FORWARD", "BACKWARD"):
            monkeypatch.setattr(kernels, name, kernels.Tile(8, 16, 1, 2))


def case(plan, features, outputs, scale, rows=21):
    """A projector, its inputs in double precision, and a gradient of the angles."""
    generator = torch.Generator().manual_seed(0)
    head = QuantumProjection(features, outputs, plan=plan, init="random", scale=scale, generator=generator).double()
    responses = torch.cat(head._setting(torch.float64).stages).detach().requires_grad_()
    x = torch.randn(rows, features, dtype=torch.float64, generator=generator).requires_grad_()
    factor = None if scale is None else torch.tensor(scale, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(rows, outputs, dtype=torch.float64, generator=generator)
    return head.projector, (x, factor, responses), upstream


def single(value):
    """What a kernel takes."""
    return None if value is None else value.detach().float().to(DEVICE).contiguous()


@pytest.mark.parametrize("scale", [None, 1.7])
@pytest.mark.parametrize(("plan", "features", "outputs"), PLANS)
def test_values_and_gradients(plan, features, outputs, scale):
    projector, inputs, upstream = case(plan, features, outputs, scale)
    forest = forest_of(projector.gather.plan).to(torch.device(DEVICE))
    exact = projector.of_units(*inputs)
    angles, bad = kernels.project(forest, *map(single, inputs), torch.float32)
    assert not bad.item()
    torch.testing.assert_close(angles.cpu().double(), exact, atol=5e-6, rtol=0)
    wanted = tuple(value is not None for value in inputs)
    found = kernels.gradients(forest, *map(single, inputs), single(upstream), wanted)
    known = torch.autograd.grad(exact, [value for value in inputs if value is not None], upstream)
    for one, other in zip([value for value in found if value is not None], known, strict=True):
        assert (one.cpu().double() - other).norm() < 5e-5 * other.norm()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read_directly(dtype):
    projector, (x, _, responses), _ = case("chain", 24, 8, None)
    forest = forest_of(projector.gather.plan).to(torch.device(DEVICE))
    half = x.detach().to(DEVICE, dtype)
    angles, _ = kernels.project(forest, half, None, single(responses), torch.float32)
    exact = projector.of_units(half.cpu().double(), None, responses)
    torch.testing.assert_close(angles.cpu().double(), exact.detach(), atol=5e-6, rtol=0)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_shows(number):
    projector, (x, _, responses), _ = case("tree", 24, 8, None)
    forest = forest_of(projector.gather.plan).to(torch.device(DEVICE))
    given = single(x)
    given[20, 23] = number
    angles, bad = kernels.project(forest, given, None, single(responses), torch.float32)
    assert bad.item()
    assert angles[:20].isfinite().all()


@pytest.fixture
def everywhere(monkeypatch):
    """Heads take the kernels, in the interpreter too."""
    if not GPU:
        monkeypatch.setattr(Projector, "_grown", lambda self, x: self._forest if x.dtype == torch.float32 else None)


@pytest.mark.parametrize("options", [{}, {"scale": 2.0, "plan": "tree"}, {"scale": 3.0, "normalize": True}], ids=str)
def test_a_head(options, everywhere):
    """Values, gradients, and gradients of gradients, of a head in training."""
    head = QuantumProjection(24, 8, init="random", generator=torch.Generator().manual_seed(1), **options)
    there = copy.deepcopy(head).to(DEVICE)
    x = torch.randn(3, 5, 24, generator=torch.Generator().manual_seed(2))

    def outcome(module, given):
        leaf = given.clone().requires_grad_()
        angles = module(leaf)
        first = torch.autograd.grad(angles.sin().sum(), [leaf, *module.parameters()], create_graph=True)
        (second,) = torch.autograd.grad(sum(value.square().sum() for value in first), leaf)
        return [angles, *first, second]

    exact = outcome(copy.deepcopy(head).double(), x.double())
    for found, known in zip(outcome(there, x.to(DEVICE)), exact, strict=True):
        assert (found.cpu().double() - known).norm() < 2e-4 * known.norm()


def test_a_head_refuses_what_is_not_finite(everywhere):
    """Though nothing looked at the embeddings before the kernel did."""
    head = QuantumProjection(24, 8).to(DEVICE).eval()
    x = torch.randn(4, 24, device=DEVICE)
    x[2, 3] = torch.nan
    with torch.no_grad(), pytest.raises(NotFiniteError, match="1 of 4 rows, first in row 2"):
        head(x)


def test_no_rows(everywhere):
    head = QuantumProjection(24, 8).to(DEVICE).eval()
    x = torch.zeros(0, 24, device=DEVICE, requires_grad=True)
    head(x).sum().backward()
    assert x.grad.shape == (0, 24)
