"""Low-rank linear and uncompressed heads."""

from __future__ import annotations

import math

import pytest
import torch

from hybrid_qproj.encoding import AngleEncoding
from hybrid_qproj.heads.fixed import LowRankLinear, Uncompressed, UncompressedQubits
from hybrid_qproj.heads.linear import trainable_parameters
from hybrid_qproj.heads.registry import load_head


def test_is_a_linear_layer_of_that_rank():
    """Before tanh, the outputs are a rank-2 image of the inputs plus a bias."""
    head = LowRankLinear(12, 6, 2, torch.Generator().manual_seed(0)).double()
    x = torch.randn(40, 12, dtype=torch.float64)
    assert torch.linalg.matrix_rank(torch.atanh(head(x))) == 2
    assert trainable_parameters(head) == 2 * (12 + 6) + 6


def test_start_has_the_variance_of_a_full_layer():
    """Outputs start neither vanishing nor saturated."""
    x = torch.nn.functional.normalize(torch.randn(500, 384), dim=1) * 384**0.5
    deviations = [torch.atanh(LowRankLinear(384, 64, r)(0.1 * x)).std().item() for r in (1, 8, 64)]
    assert all(0.05 < s < 0.2 for s in deviations)


@pytest.mark.parametrize(("d", "k", "budget"), [(768, 256, 6144), (384, 128, 3072), (384, 32, 4224), (20, 4, 10_000)])
def test_budget_is_used_up(d, k, budget):
    """The rank is the largest that fits, and at most k."""
    head = LowRankLinear.with_budget(d, k, budget)
    used = trainable_parameters(head)
    assert used <= budget
    assert head.rank == k or used + d + k > budget


def test_save_and_load(tmp_path):
    """All come back the same."""
    x = torch.randn(3, 8)
    for number, head in enumerate(
        (LowRankLinear(8, 3, 2), Uncompressed(8), Uncompressed(8, tanh=True), UncompressedQubits(8))
    ):
        head.save(tmp_path / str(number))
        loaded = load_head(tmp_path / str(number))
        assert type(loaded) is type(head)
        assert torch.equal(loaded(x), head(x))


def test_uncompressed_changes_nothing():
    """No parameters, same numbers."""
    x = torch.randn(3, 8)
    head = Uncompressed(8, 8)
    assert torch.equal(head(x), x)
    assert trainable_parameters(head) == 0


def test_uncompressed_as_published():
    """Tanh of each number for the cosine; for the fidelity the qubits that a quantum head begins with."""
    a, b = torch.randn(2, 5, 8)
    assert torch.equal(Uncompressed(8, tanh=True)(a), a.tanh())
    head = UncompressedQubits(8)
    states = [torch.stack([angle.cos(), -angle.sin()], -1) for x in (a, b) for angle in [math.pi / 4 * (1 + x.tanh())]]
    overlaps = torch.einsum("idc,jdc->ijd", *states).prod(dim=2).square()
    torch.testing.assert_close(head.pairwise_similarity(head(a), head(b)).exp(), overlaps)
    cosine, _ = AngleEncoding()(a)
    torch.testing.assert_close(head(a).cos(), cosine)
    assert trainable_parameters(head) == 0


def test_refusals():
    """Ranks and budgets out of range, and a size that is not kept."""
    with pytest.raises(ValueError, match="rank=7: expected 1 to out_features=6"):
        LowRankLinear(12, 6, 7)
    with pytest.raises(ValueError, match="20 parameters are too few: rank 1 of 12 -> 6 needs 24"):
        LowRankLinear.with_budget(12, 6, 20)
    with pytest.raises(ValueError, match="UncompressedQubits keeps the size"):
        UncompressedQubits(8, 4)
    with pytest.raises(ValueError, match="Uncompressed keeps the size"):
        Uncompressed(8, 4)
