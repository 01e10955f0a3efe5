"""The classical heads: what they compute, what they refuse, that they save."""

from __future__ import annotations

import pytest
import torch

from hybrid_qproj.heads.controls import LinearAngles, UnboundedLinear
from hybrid_qproj.heads.grouped import GroupedLinear
from hybrid_qproj.heads.linear import (
    ClassicalProjection,
    PCAProjection,
    RandomProjection,
    Truncation,
    stored_numbers,
    trainable_parameters,
)
from hybrid_qproj.heads.registry import load_head

BASELINES = [
    ClassicalProjection,
    Truncation,
    PCAProjection,
    RandomProjection,
    GroupedLinear,
    LinearAngles,
    UnboundedLinear,
]


@pytest.mark.parametrize("cls", BASELINES)
def test_shapes_and_round_trip(cls, tmp_path):
    """Any leading shape goes through, empty batches too, and a saved head gives the same outputs."""
    torch.manual_seed(0)
    head = cls(12, 5)
    if isinstance(head, PCAProjection):
        head.fit(torch.randn(40, 12))
    x = torch.randn(2, 3, 12)
    assert head(x).shape == (2, 3, 5)
    assert head(x[0, 0]).shape == (5,)
    assert head(x[:0]).shape == (0, 3, 5)
    head.save(tmp_path)
    torch.testing.assert_close(load_head(tmp_path)(x), head(x), rtol=0, atol=0)


@pytest.mark.parametrize("cls", BASELINES)
def test_bad_input(cls):
    """Every head refuses the same things with the same words."""
    # A codec compresses what principal components rotate.
    most, sign = (4, "<=") if cls is PCAProjection else (3, "<")
    with pytest.raises(ValueError, match=f"1 <= out_features {sign} in_features"):
        cls(4, most + 1)
    head = cls(4, 2)
    with pytest.raises(ValueError, match=r"expected \(\.\.\., 4\)"):
        head(torch.zeros(2, 5))
    with pytest.raises(ValueError, match="NaN in 1 of 2 rows, first in row 1"):
        head(torch.tensor([[0.0, 0, 0, 0], [0, float("nan"), 0, 0]]))


def test_classical_is_linear_tanh():
    """The published classical head, with its published size."""
    head = ClassicalProjection(768, 256)
    x = torch.randn(3, 768)
    torch.testing.assert_close(head(x), torch.tanh(x @ head.linear.weight.T + head.linear.bias))
    assert trainable_parameters(head) == stored_numbers(head) == 196_864


def test_truncation():
    """Truncation keeps the first numbers as they are."""
    x = torch.randn(3, 6)
    assert torch.equal(Truncation(6, 2)(x), x[:, :2])
    assert stored_numbers(Truncation(6, 2)) == 0


def test_pca_matches_svd():
    """Outputs equal the scores of an SVD of the centred unit-norm data, up to each axis's sign."""
    torch.manual_seed(1)
    x = torch.randn(50, 8) * torch.arange(1, 9)
    head = PCAProjection(8, 3).fit(x)
    unit = torch.nn.functional.normalize(x, dim=1)
    u, s, _ = torch.linalg.svd(unit - unit.mean(0), full_matrices=False)
    torch.testing.assert_close(head(x).abs(), (u * s)[:, :3].abs(), rtol=1e-4, atol=1e-5)
    assert stored_numbers(head) == 3 * 8 + 8
    assert trainable_parameters(head) == 0


def test_pca_without_centring(tmp_path):
    """The right singular vectors of the data as they are; saved as such."""
    torch.manual_seed(1)
    x = torch.randn(50, 8) + 1
    head = PCAProjection(8, 3, center=False).fit(x)
    u, s, _ = torch.linalg.svd(torch.nn.functional.normalize(x, dim=1), full_matrices=False)
    torch.testing.assert_close(head(x).abs(), (u * s)[:, :3].abs(), rtol=1e-4, atol=1e-5)
    assert stored_numbers(head) == 3 * 8
    head.save(tmp_path)
    assert torch.equal(PCAProjection.load(tmp_path)(x), head(x))


def test_pca_fit_is_repeatable_and_checked():
    """The same data in another order gives the same axes; too little data is refused."""
    torch.manual_seed(2)
    x = torch.randn(30, 6)
    torch.testing.assert_close(PCAProjection(6, 2).fit(x)(x), PCAProjection(6, 2).fit(x.flip(0))(x))
    with pytest.raises(ValueError, match="n >= 2"):
        PCAProjection(6, 2).fit(x[:1])


def test_random_projection_preserves_inner_products():
    """Averaged over many seeds, inner products of unit vectors come through."""
    torch.manual_seed(3)
    x = torch.nn.functional.normalize(torch.randn(4, 16), dim=1)
    grams = []
    for seed in range(300):
        y = RandomProjection(16, 8, generator=torch.Generator().manual_seed(seed))(x)
        grams.append(y @ y.T)
    torch.testing.assert_close(torch.stack(grams).mean(0), x @ x.T, rtol=0, atol=0.1)


def test_linear_head_can_start_as_truncation():
    """The start of the quantum head, for a fair race; other names are refused."""
    x = torch.randn(3, 8)
    assert torch.equal(ClassicalProjection(8, 3, "truncation")(x), torch.tanh(x[:, :3]))
    with pytest.raises(ValueError, match="init='zero': expected 'random' or 'truncation'"):
        ClassicalProjection(8, 3, "zero")
