"""The best levels for a normal distribution: those of Lloyd (1957) and Max (1960).

Levels are the means of their cells, and cells end midway between levels. Both hold where the mean squared error is
least, and for a normal distribution at one place only. Newton's method finds it in a few steps from the levels that
are best in the limit of many.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from scipy.linalg import solve_banded
from scipy.stats import norm
from torch import Tensor

MOST_BITS = 8
"""Of an output."""
STEPS = 100
EXACT = 1e-12
"""Largest distance of a level from the mean of its cell."""


@lru_cache(maxsize=MOST_BITS + 1)
def levels(bits: int) -> tuple[float, ...]:
    """Levels of a normal distribution of mean 0 and deviation 1.

    Args:
        bits: 0 to 8.

    Returns:
        2^bits numbers, ascending.

    Examples:
        >>> levels(1)
        (-0.79788456, 0.79788456)
        >>> [round(level, 4) for level in levels(2)]
        [-1.5104, -0.4528, 0.4528, 1.5104]
    """
    count = 2**bits
    # Of many levels the best density is the third root of the distribution's: a normal one of three times the variance.
    found = norm.ppf((np.arange(count) + 0.5) / count) * np.sqrt(3 if bits > 1 else 1)
    for _ in range(STEPS):
        ends = np.concatenate([[-np.inf], (found[1:] + found[:-1]) / 2, [np.inf]])
        density, mass = norm.pdf(ends), _masses(ends)
        means = (density[:-1] - density[1:]) / mass
        if float(np.abs(means - found).max()) < EXACT:
            break
        # How a cell's mean moves with its ends; each end moves by half of what either level does.
        low = np.where(np.isinf(ends[:-1]), 0, density[:-1] * (means - np.nan_to_num(ends[:-1]))) / mass / 2
        high = np.where(np.isinf(ends[1:]), 0, density[1:] * (np.nan_to_num(ends[1:]) - means)) / mass / 2
        jacobian = np.zeros((3, count))
        jacobian[0, 1:], jacobian[1], jacobian[2, :-1] = -high[:-1], 1 - low - high, -low[1:]
        found = found - solve_banded((1, 1), jacobian, found - means)
    # Symmetric to the last bit, as the distribution is.
    found = (found - found[::-1]) / 2
    return tuple(map(float, found))


def _masses(ends: np.ndarray) -> np.ndarray:
    # In the upper half by the other tail, where a difference of numbers near 1 would keep few digits.
    lower, upper = np.diff(norm.cdf(ends)), -np.diff(norm.sf(ends))
    return np.where(ends[:-1] >= 0, upper, lower)


def nearest(values: Tensor, bits: int) -> Tensor:
    """The number of the nearest level.

    Args:
        values: any shape.
        bits: 0 to 8.

    Returns:
        0 to 2^bits - 1, uint8; on the boundary of two the lower.
    """
    table = torch.tensor(levels(bits), dtype=torch.float64)
    return torch.bucketize(values.double(), (table[1:] + table[:-1]) / 2).to(torch.uint8)
