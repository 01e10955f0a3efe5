"""A stage of rotations that mixes all features in pairs and keeps both of each."""

from __future__ import annotations

import numpy as np

from hybrid_qproj.fitting.rotations import Rotation, rotate


def mix(matrix: np.ndarray) -> list[Rotation]:
    """Rotate disjoint pairs to their principal axes, those of largest covariance first: a parallel Jacobi step.

    Args:
        matrix: covariance, (d, d); rotated in place.

    Returns:
        d // 2 rotations.
    """
    strength = np.abs(matrix)
    np.fill_diagonal(strength, -1)
    rows, columns = np.triu_indices(len(matrix), 1)
    order = np.argsort(-strength[rows, columns], kind="stable")
    free = np.ones(len(matrix), dtype=bool)
    found = []
    for place in order:
        i, j = int(rows[place]), int(columns[place])
        if free[i] and free[j]:
            free[i] = free[j] = False
            found.append(rotate(matrix, i, j))
    return found
