"""Treelets: pairs of features merge, one by one, until k are left."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from hybrid_qproj.fitting.rotations import Rotation, rotate

Pairs = Literal["variance", "correlation"]


def merge(matrix: np.ndarray, outputs: int, pairs: Pairs, depth: int | None) -> tuple[list[Rotation], np.ndarray]:
    """Rotate a pair and drop its smaller component, until k features are left.

    Args:
        matrix: covariance, (d, d); rotated in place.
        outputs: k.
        pairs: which pair is next: the one that loses least ``"variance"``, or the one of largest ``"correlation"``.
        depth: most rotations one after another that a feature may go through, at least log2(d / k); None for any
            number.

    Returns:
        d - k rotations, and the features that are left, (k,).
    """
    features = len(matrix)
    levels = np.zeros(features, dtype=np.int64)
    room = math.inf if depth is None else float(outputs * 2**depth)
    active = np.ones(features, dtype=bool)
    cost = _costs(matrix, slice(None), pairs)
    cost[np.tril_indices(features)] = np.inf
    found = []
    for _ in range(features - outputs):
        allowed = cost if depth is None else np.where(_fits(levels, active, room, depth), cost, np.inf)
        i, j = divmod(int(allowed.argmin()), features)
        rotation = rotate(matrix, i, j)
        found.append(rotation)
        active[rotation.other] = False
        levels[rotation.kept] = max(levels[i], levels[j]) + 1
        cost[rotation.other, :] = cost[:, rotation.other] = np.inf
        row = np.where(active, _costs(matrix, rotation.kept, pairs), np.inf)
        row[rotation.kept] = np.inf
        # The upper triangle holds each pair once.
        cost[rotation.kept, rotation.kept :] = row[rotation.kept :]
        cost[: rotation.kept, rotation.kept] = row[: rotation.kept]
    return found, active.nonzero()[0]


def _costs(matrix: np.ndarray, rows: int | slice, pairs: Pairs) -> np.ndarray:
    """What it costs to merge features with all others: (d,) for one row, (d, d) for all."""
    variances = matrix.diagonal()
    a, b, c = variances[rows, ...] if isinstance(rows, int) else variances[:, None], variances, matrix[rows]
    if pairs == "correlation":
        norm = np.sqrt(np.maximum(a * b, 0))
        # A constant correlates with nothing, and is dropped first.
        return np.where(norm > 0, -np.abs(c) / np.where(norm > 0, norm, 1), -np.inf)
    return np.asarray((a + b) / 2 - np.hypot((a - b) / 2, c))


def _fits(levels: np.ndarray, active: np.ndarray, room: float, depth: int) -> np.ndarray:
    """Pairs whose merging leaves it possible to reach k outputs in the depth.

    A feature of level l holds the place of 2^l inputs, an output has 2^depth places; what has powers of two as sizes
    always packs.
    """
    size = np.where(active, 2.0**levels, 0)
    low, high = np.minimum.outer(size, size), np.maximum.outer(size, size)
    return (size.sum() + high - low <= room) & (2 * high <= 2.0**depth)
