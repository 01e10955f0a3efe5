"""Rotations of kept features with dropped ones, which bring variance from these to those."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from hybrid_qproj.fitting.rotations import Rotation, rotate


def exchange(matrix: np.ndarray, kept: np.ndarray, budget: int) -> list[Rotation]:
    """Rotate kept features with dropped ones, stage by stage, in the pairing that gains the kept ones most.

    Each pair turns to its principal axes, so that the kept feature takes all the variance it can get from the other.
    The pairing of a stage is the optimal assignment (Hungarian method). With enough stages the kept features span the
    principal subspace.

    Args:
        matrix: covariance, (d, d); rotated in place.
        kept: features that are the output, (k,).
        budget: most rotations.

    Returns:
        the rotations, fewer than the budget once nothing is left to gain.
    """
    dropped = np.setdiff1d(np.arange(len(matrix)), kept)
    floor = np.finfo(float).eps * matrix.trace()
    found: list[Rotation] = []
    while budget > len(found):
        a, b = matrix.diagonal()[kept, None], matrix.diagonal()[None, dropped]
        gain = np.hypot((a - b) / 2, matrix[np.ix_(kept, dropped)]) - (a - b) / 2
        rows, columns = linear_sum_assignment(gain, maximize=True)
        useful = gain[rows, columns] > floor
        if not useful.any():
            break
        best = np.argsort(-gain[rows, columns], kind="stable")[: min(budget - len(found), int(useful.sum()))]
        found += [rotate(matrix, int(kept[rows[p]]), int(dropped[columns[p]]), swap=False) for p in best]
    return found
