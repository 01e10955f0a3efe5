"""Paired tests against what theory says of them."""

from __future__ import annotations

import numpy as np
import pytest

from hybrid_qproj.retrieval.significance import bootstrap_interval, holm, paired_randomization


def _run(values):
    return {str(i): float(v) for i, v in enumerate(values)}


def test_exact_for_few_queries():
    """With all n differences positive, only two of 2^n sign patterns are as extreme."""
    values = np.arange(1, 6)
    assert paired_randomization(_run(values), _run(0 * values)) == pytest.approx(2 / 2**5)


def test_uniform_without_a_difference():
    """Under the null, p values below 0.1 come about a tenth of the time."""
    rng = np.random.default_rng(0)
    p = [paired_randomization(_run(rng.normal(size=12)), _run(rng.normal(size=12))) for _ in range(120)]
    assert 0.03 < np.mean(np.array(p) < 0.1) < 0.2


def test_same_run_and_symmetry():
    """A run does not differ from itself; the test has two sides; the seed fixes the result."""
    rng = np.random.default_rng(1)
    a, b = _run(rng.normal(size=40)), _run(rng.normal(0.4, size=40))
    assert paired_randomization(a, a) == 1.0
    assert paired_randomization(a, b) == pytest.approx(paired_randomization(b, a), abs=0.02)
    assert paired_randomization(a, b, seed=3) == paired_randomization(a, b, seed=3)


def test_different_queries():
    """Unpaired runs are refused."""
    with pytest.raises(ValueError, match="different queries"):
        paired_randomization({"1": 0.0}, {"2": 0.0})


def test_holm():
    """Holm's correction: ordered by p, never above 1, monotone, order of input kept."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_bootstrap_interval_covers_the_mean():
    """About the normal interval for many queries; a point where all differences are equal."""
    differences = np.random.default_rng(0).normal(0.1, 0.2, 400)
    low, high = bootstrap_interval(differences)
    half = 1.96 * differences.std() / 20
    assert low == pytest.approx(differences.mean() - half, abs=0.003)
    assert high == pytest.approx(differences.mean() + half, abs=0.003)
    assert bootstrap_interval(np.full(5, 0.25)) == (0.25, 0.25)
    with pytest.raises(ValueError, match="got 1 queries; an interval over queries needs at least 2"):
        bootstrap_interval(np.array([0.1]))


def test_nothing_to_compare():
    """No queries are no evidence of anything, and NaN is no value."""
    with pytest.raises(ValueError, match="got 0 queries; a test over queries needs at least 1"):
        paired_randomization({}, {})
    for values in ([np.nan, 1.0], [1.0, np.inf]):
        with pytest.raises(ValueError, match="1 of 2 differences are not finite"):
            paired_randomization(_run(values), _run([0, 0]))
        with pytest.raises(ValueError, match="1 of 2 differences are not finite"):
            bootstrap_interval(np.array(values))
    for p in (np.nan, -0.1, 1.1):
        with pytest.raises(ValueError, match="expected numbers in"):
            holm([0.5, p])
    for level in (0, 1, 95, np.nan):
        with pytest.raises(ValueError, match="expected a share between 0 and 1"):
            bootstrap_interval(np.array([0.0, 1.0]), level)
    assert holm([]) == []
