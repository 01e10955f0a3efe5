"""Moments of chunks are those of the whole."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hybrid_qproj.fitting import Moments, moments, moments_of


def rows(count=100, width=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 3 + torch.randn(count, width, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("kind", ["torch", "numpy", "memmap"])
def test_equals_numpy(normalize, kind, tmp_path, monkeypatch):
    """Torch, numpy and memory-mapped arrays, in slices that do not divide the rows."""
    monkeypatch.setattr(moments, "NUMBERS_PER_CHUNK", 7 * 30)
    array = rows()
    unit = torch.nn.functional.normalize(array, dim=1) if normalize else array
    given = array
    if kind == "numpy":
        given = array.numpy()
    if kind == "memmap":
        np.save(tmp_path / "a.npy", array.numpy())
        given = np.load(tmp_path / "a.npy", mmap_mode="r")
    found = moments_of(given, normalize)
    assert found.rows == 100
    torch.testing.assert_close(found.mean, unit.mean(dim=0))
    torch.testing.assert_close(found.covariance, torch.cov(unit.T, correction=0), atol=1e-13, rtol=0)


def test_bad_rows():
    """Each kind of bad input has its own words."""
    for wrong in (math.nan, math.inf):
        array = rows()
        array[42, 3] = wrong
        found = Moments(7)
        found.add(array[:20])
        with pytest.raises(ValueError, match="row 42 holds NaN or infinity, as 1 of 80"):
            found.add(array[20:])
        assert found.rows == 20
    with pytest.raises(ValueError, match=r"shape \(2, 3\).*expected \(n, 7\)"):
        Moments(7).add(torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"got list of shape \(\); expected an array"):
        moments_of([[1.0, 2.0]])
    found = Moments(7)
    found.add(rows(1))
    with pytest.raises(ValueError, match="got 1 rows; a covariance needs two"):
        _ = found.covariance


def test_zero_rows_stay(recwarn):
    """A row without a direction is no NaN."""
    found = moments_of(torch.zeros(3, 4))
    assert bool((found.covariance == 0).all())
