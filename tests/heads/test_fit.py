"""One contract of fit: a class makes a fitted head; one that exists may be fitted in place where that was the way."""

from __future__ import annotations

import pytest
import torch

from hybrid_qproj import PCAProjection
from hybrid_qproj.experiments.keywords import check_keywords


def test_both_ways_are_one():
    """By the class or by a head: the same numbers; by a head it is that head."""
    x = torch.randn(30, 6)
    for center in (True, False):
        made = PCAProjection.fit(x, 2, center=center)
        mine = PCAProjection(6, 2, center)
        assert mine.fit(x) is mine
        assert made is not mine
        assert torch.equal(made(x), mine(x))
        assert made.config() == mine.config()
        assert not made.training


def test_of_a_subclass():
    """The class that is asked makes the head."""

    class Mine(PCAProjection):
        pass

    assert type(Mine.fit(torch.randn(9, 4), 2)) is Mine
    assert "Args:" in PCAProjection.fit.__doc__
    check_keywords(Mine.fit, {"center": True})
    with pytest.raises(ValueError, match="no keyword 'centre'; did you mean 'center'"):
        check_keywords(Mine.fit, {"centre": True})


def test_what_cannot_be_fitted_to():
    """Too few rows, no matrix, no compression."""
    for wrong, message in [
        (torch.randn(1, 6), "n >= 2"),
        (torch.randn(6), r"got Tensor of shape \(6,\); expected a tensor \(n, d\)"),
        (torch.randn(9, 1), "1 <= out_features <= in_features"),
        ([[1.0, 2.0]], r"got list of shape \(\); expected a tensor \(n, d\)"),
        (torch.randn(9, 4).numpy(), "got embeddings of type ndarray"),
    ]:
        with pytest.raises(ValueError, match=message):
            PCAProjection.fit(wrong, 2)
