"""Heads and similarities on a GPU give what they give on a CPU. Run by ``make gpu``; skipped where there is none."""

from __future__ import annotations

import copy
import math

import pytest
import torch

from hybrid_qproj import (
    ClassicalProjection,
    QuantumProjection,
    pairwise_log_fidelity,
    top_k_fidelity,
    torch_layer,
)
from hybrid_qproj.circuits import names
from hybrid_qproj.heads.coherent import CoherentProjection
from hybrid_qproj.heads.registry import load_head

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-11}


def step(head, x):
    leaf = x.clone().requires_grad_()
    angles = head(leaf)
    return [angles.detach(), *torch.autograd.grad(angles.sin().sum(), [*head.parameters(), leaf])]


def assert_same(found, expected, tolerance):
    """Gradients of single precision are sums whose order differs: relative to the largest."""
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a.cpu(), b, atol=tolerance * max(1, b.abs().max().item()), rtol=0)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("plan", ["chain", "tree"])
@pytest.mark.parametrize("circuit", names())
def test_values_and_gradients(circuit, plan, dtype):
    head = QuantumProjection(48, 16, circuit, plan=plan, scale=1.5, init="random").to(dtype)
    x = torch.randn(20, 48, dtype=dtype)
    assert_same(step(copy.deepcopy(head).cuda(), x.cuda()), step(head, x), 20 * TOLERANCE[dtype])


@pytest.mark.parametrize("head_class", [QuantumProjection, CoherentProjection, ClassicalProjection])
def test_eval_mode_and_saving(head_class, tmp_path):
    head = head_class(48, 16).eval()
    x = torch.randn(20, 48)
    with torch.no_grad():
        expected = head(x)
        torch.testing.assert_close(copy.deepcopy(head).cuda()(x.cuda()).cpu(), expected, atol=2e-5, rtol=0)
    head.cuda().save(tmp_path / "head")
    loaded = load_head(tmp_path / "head").eval()
    with torch.no_grad():
        torch.testing.assert_close(loaded(x), expected, atol=2e-6, rtol=0)
        torch.testing.assert_close(loaded.cuda()(x.cuda()).cpu(), expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_and_autocast(dtype):
    head = QuantumProjection(48, 16, scale=1.5).cuda()
    x = torch.randn(20, 48, device="cuda")
    expected = head(x.to(dtype).float())
    with torch.autocast("cuda", dtype=dtype):
        found = head(x.to(dtype))
    assert found.dtype is dtype
    torch.testing.assert_close(found.float(), expected, atol=2e-2, rtol=0)


def test_compiled_head_is_the_head():
    head = QuantumProjection(768, 256, init="random").cuda().eval()
    compiled = copy.deepcopy(head)
    compiled.compile()
    x = torch.randn(4096, 768, device="cuda")
    assert_same([t.cpu() for t in step(compiled, x)], [t.cpu() for t in step(head, x)], 2e-3)
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), head(x), atol=2e-5, rtol=0)


def test_many_rows_go_piece_by_piece():
    head = QuantumProjection(96, 32, init="random").cuda().eval()
    x = torch.randn(1 << 20, 96, device="cuda")
    with torch.no_grad():
        found = head(x)
        torch.testing.assert_close(found[-100:].cpu(), copy.deepcopy(head).cpu()(x[-100:].cpu()), atol=2e-5, rtol=0)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("rows", "columns", "width"), [(1, 1, 1), (5, 7, 3), (65, 130, 40), (300, 1000, 256)])
def test_all_pairs(rows, columns, width, dtype):
    a, b = (math.pi * torch.rand(n, width, dtype=torch.float64) for n in (rows, columns))
    upstream = torch.randn(rows, columns, dtype=torch.float64)
    leaves = [x.clone().requires_grad_() for x in (a, b)]
    expected = pairwise_log_fidelity(*leaves)
    exact = torch.autograd.grad(expected, leaves, upstream)
    leaves = [x.cuda().to(dtype).requires_grad_() for x in (a, b)]
    found = pairwise_log_fidelity(*leaves)
    gradients = torch.autograd.grad(found, leaves, upstream.cuda().to(dtype))
    torch.testing.assert_close(found.cpu().double(), expected, atol=1e-4 if dtype is torch.float32 else 1e-9, rtol=1e-4)
    for a, b in zip(gradients, exact, strict=True):
        error = (a.cpu().double() - b).norm() / b.norm()
        assert error < (1e-2 if dtype is torch.float32 else 1e-9)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_orthogonal_and_equal_states(dtype):
    a = math.pi * torch.rand(40, 100, dtype=dtype)
    b = math.pi * torch.rand(70, 100, dtype=dtype)
    a[0], a[1, :50], b[0], b[1] = 0, 0, math.pi, a[2]
    expected = pairwise_log_fidelity(a, b)
    torch.testing.assert_close(pairwise_log_fidelity(a.cuda(), b.cuda()).cpu(), expected, atol=1e-3, rtol=1e-4)
    assert expected[0, 0] < -1000


def test_nan_stays():
    a, b = torch.ones(3, 50), torch.ones(70, 50)
    a[1, 40] = torch.nan
    found = pairwise_log_fidelity(a.cuda(), b.cuda()).cpu()
    assert found[1].isnan().all()
    assert found[[0, 2]].abs().max() < 1e-5


def test_angles_outside_of_0_to_pi():
    a, b = 3 * torch.randn(30, 20), 3 * torch.randn(50, 20)
    found = pairwise_log_fidelity(a.cuda(), b.cuda()).cpu()
    torch.testing.assert_close(found, pairwise_log_fidelity(a, b), atol=1e-3, rtol=1e-3)


def test_best_documents():
    a, b = 0.4 * torch.randn(9, 64) + 1.5, 0.4 * torch.randn(3000, 64) + 1.5
    scores, places = top_k_fidelity(a.cuda(), b.cuda(), 10, chunk=1000)
    expected, _ = top_k_fidelity(a, b, 10)
    torch.testing.assert_close(scores.cpu(), expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(pairwise_log_fidelity(a, b).gather(1, places.cpu()), expected, atol=1e-4, rtol=0)


def test_torch_layer_on_a_gpu():
    layer = torch_layer("u_cu")
    x = torch.rand(5, 2) * math.pi
    expected = layer(x)
    torch.testing.assert_close(layer.cuda()(x.cuda()).cpu(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("mode", ["interpolated", "direct"])
@pytest.mark.parametrize("device", ["default.qubit", "default.mixed", "lightning.qubit", "lightning.gpu"])
def test_every_device_takes_tensors_on_the_gpu(device, mode):
    if device.startswith("lightning"):
        pytest.importorskip(f"pennylane_lightning.{device.replace('.', '_')}_ops")
    head = QuantumProjection(12, 4, init="random").double()
    there = copy.deepcopy(head).to_device(f"{device}?mode={mode}").cuda()
    x = torch.randn(3, 12, dtype=torch.float64)
    assert_same(step(there, x.cuda()), step(head, x), 1e-8)


def test_training_lowers_the_loss():
    head = QuantumProjection(48, 16, scale=1.0).cuda()
    x = torch.randn(64, 48, device="cuda")
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    losses = []
    for _ in range(20):
        angles = head(x)
        loss = -pairwise_log_fidelity(angles, head(x + 0.1)).log_softmax(dim=1).diagonal().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert all(map(math.isfinite, losses))
