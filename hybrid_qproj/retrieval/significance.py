"""Is a difference between two heads more than luck? Paired tests over queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from hybrid_qproj.errors import DataError

RESAMPLES = 9999


def paired_randomization(a: Mapping[str, float], b: Mapping[str, float], seed: int = 0) -> float:
    """Two-sided paired randomisation test of the mean difference over queries.

    The signs of the per-query differences are flipped at random (Fisher 1935; Smucker, Allan and Carterette 2007).

    Args:
        a: query id -> value.
        b: query id -> value, the same queries.
        seed: of the random flips.

    Returns:
        p value in (0, 1].

    Raises:
        DataError: the queries differ, there are none, or a value is not finite.
    """
    if a.keys() != b.keys():
        raise DataError(f"the two runs answer different queries ({len(a)} and {len(b)}); a paired test needs the same")
    differences = np.array([a[query] - b[query] for query in a], dtype=float)
    _check(differences, 1, "a test")
    if not differences.any():
        return 1.0
    return float(
        stats.permutation_test(
            (differences,),
            np.mean,
            permutation_type="samples",
            n_resamples=RESAMPLES,
            rng=np.random.default_rng(seed),
        ).pvalue
    )


def bootstrap_interval(differences: np.ndarray, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean difference over queries (Efron 1979).

    Args:
        differences: of the queries, (n,).
        level: of confidence, in (0, 1).
        seed: of the resampling.

    Returns:
        lower and upper end.

    Raises:
        DataError: fewer than two queries, a value that is not finite, or a level that is none.
    """
    # One query has no spread.
    _check(np.asarray(differences, dtype=float), 2, "an interval")
    if not 0 < level < 1:
        raise DataError(f"level = {level}: expected a share between 0 and 1, such as 0.95")
    result = stats.bootstrap(
        (np.asarray(differences),),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction of several p values (Holm 1979).

    Args:
        p_values: uncorrected p values.

    Returns:
        corrected p values, in the same order.

    Raises:
        DataError: one is no number in [0, 1].

    Examples:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    wrong = next((p for p in p_values if not 0 <= p <= 1), None)
    if wrong is not None:
        raise DataError(f"got a p value of {wrong}; expected numbers in [0, 1]")
    order = np.argsort(p_values)
    scaled = np.asarray(p_values)[order] * np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return corrected.tolist()


def _check(differences: np.ndarray, least: int, what: str) -> None:
    if len(differences) < least:
        raise DataError(f"got {len(differences)} queries; {what} over queries needs at least {least}")
    if not np.isfinite(differences).all():
        raise DataError(f"{(~np.isfinite(differences)).sum()} of {len(differences)} differences are not finite")
