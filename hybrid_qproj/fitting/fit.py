"""From a covariance to a plan: features mix in pairs, then merge in pairs until k are left."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from torch import Tensor

from hybrid_qproj.fitting.rotations import FittedPlan, Rotation, principal_angle, schedule
from hybrid_qproj.validation import check_sizes

MOST = 4
POWER = 0.5
"""Covariances are fitted by their square root: standard deviations, not variances."""

Pairs = Literal["variance", "correlation"]
Merging = Literal["treelet", "select"]


@dataclass(frozen=True)
class FitSettings:
    """How a plan is chosen.

    Attributes:
        mixing: stages in which all features meet in pairs and both stay, before any is dropped.
        angles: in place of ``mixing``, a budget: as many of those stages as it has room for beside the merging.
        power: exponent of the covariance that pairs and angles are chosen by, above 0. With 1 the least variance is
            lost; below 1, directions of small variance count for more.
        merging: ``"treelet"`` rotates a pair, keeps its larger component and drops the other, until k are left;
            ``"select"`` keeps the k features of largest variance as they are.
        pairs: which pair merges next: the one that loses least ``"variance"``, or the one of largest ``"correlation"``.
        depth: most stages that merge; None for as many as it takes.

    Raises:
        ValueError: a negative number or an unknown word.
    """

    mixing: int = 0
    merging: Merging = "treelet"
    pairs: Pairs = "variance"
    depth: int | None = None
    power: float = POWER
    angles: int | None = None

    def __post_init__(self) -> None:
        for name, words in (("merging", get_args(Merging)), ("pairs", get_args(Pairs))):
            if getattr(self, name) not in words:
                raise ValueError(f"{name}={getattr(self, name)!r}: expected one of {', '.join(words)}")
        if self.mixing < 0 or (self.depth is not None and self.depth < 1):
            raise ValueError(f"mixing={self.mixing}, depth={self.depth}: expected mixing >= 0 and depth >= 1 or None")
        if not 0 < self.power <= MOST:
            raise ValueError(f"power={self.power}: expected above 0 and at most {MOST}")
        if self.angles is not None and (self.mixing or self.angles < 1):
            raise ValueError(f"angles={self.angles}, mixing={self.mixing}: expected a budget of at least 1 and no mixing")

    def mixing_stages(self, features: int, outputs: int) -> int:
        """Mixing stages for these sizes.

        Args:
            features: d.
            outputs: k.

        Returns:
            ``mixing``, or what ``angles`` has room for: d // 2 angles a stage.

        Raises:
            ValueError: the budget is too small for the merging alone.
        """
        if self.angles is None:
            return self.mixing
        rest = self.angles - (features - outputs if self.merging == "treelet" else 0)
        if rest < 0:
            raise ValueError(
                f"angles={self.angles}: a treelet of {features} -> {outputs} has {features - outputs}; raise the budget"
            )
        return rest // (features // 2)


def fit_plan(covariance: Tensor, outputs: int, settings: FitSettings | None = None) -> FittedPlan:
    """Plan and angles from the covariance of embeddings.

    A treelet (Lee, Nadler and Wasserman 2008, arXiv:0707.0481): of all pairs, the one is rotated to its principal
    axes whose smaller component has the least variance, which is dropped. Constant and duplicate columns are the first
    to go, since dropping them loses nothing. Equal choices are made in the order of the columns.

    Args:
        covariance: of the embeddings' numbers, (d, d).
        outputs: k, 1 <= k < d.
        settings: how pairs are chosen; the defaults if None.

    Returns:
        the plan with a rotor angle a block; the same for the same covariance.

    Raises:
        ValueError: sizes that are no compression, a covariance that is not square, symmetric and finite, or a depth
            that is too small for k.
    """
    settings = settings or FitSettings()
    matrix = _checked(covariance)
    features = len(matrix)
    check_sizes(features, outputs)
    matrix = _to_power(matrix, settings.power)
    rotations: list[Rotation] = []
    mixing = settings.mixing_stages(features, outputs)
    for _ in range(mixing):
        rotations += _mix(matrix)
    if settings.merging == "select":
        largest = np.argsort(-matrix.diagonal(), kind="stable")[:outputs]
        output = tuple(sorted(map(int, largest)))
    else:
        merged, output = _merge(matrix, outputs, settings)
        rotations += merged
    name = f"{settings.merging} after {mixing} mixing stages" if mixing else settings.merging
    return schedule(features, rotations, output, name)


def _checked(covariance: Tensor) -> np.ndarray:
    matrix: np.ndarray = covariance.detach().double().cpu().numpy().copy()
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():  # noqa: PLR2004 - a matrix
        raise ValueError(f"got a covariance of shape {matrix.shape}; expected (d, d), finite")
    if not np.allclose(matrix, matrix.T, atol=1e-9 * max(1.0, float(np.abs(matrix).max()))):
        raise ValueError("the covariance is not symmetric")
    return matrix


def _to_power(matrix: np.ndarray, power: float) -> np.ndarray:
    if power == 1:
        return matrix
    values, vectors = np.linalg.eigh(matrix)
    # A power below 1 would raise the rounding of directions that no row shows.
    values = np.where(values > len(values) * np.finfo(float).eps * values[-1], values, 0)
    found = (vectors * values**power) @ vectors.T
    # What has no variance has none in the power either.
    found[np.diag_indices(len(found))] *= matrix.diagonal() > 0
    return (found + found.T) / 2


def _mix(matrix: np.ndarray) -> list[Rotation]:
    """A stage of rotations of disjoint pairs to their principal axes; the matrix is rotated too."""
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
            found.append(_rotate(matrix, i, j, drop=False))
    return found


def _merge(matrix: np.ndarray, outputs: int, settings: FitSettings) -> tuple[list[Rotation], tuple[int, ...]]:
    """Rotations that drop features until k are left; the matrix is changed."""
    features = len(matrix)
    levels = np.zeros(features, dtype=np.int64)
    room = math.inf if settings.depth is None else float(outputs * 2**settings.depth)
    if features > room:
        least = math.ceil(math.log2(features / outputs))
        raise ValueError(f"depth={settings.depth}: {features} features merge to {outputs} in {least} stages at least")
    active = np.ones(features, dtype=bool)
    cost = _costs(matrix, slice(None), settings.pairs)
    cost[np.tril_indices(features)] = np.inf
    found = []
    for _ in range(features - outputs):
        allowed = (
            cost if settings.depth is None else np.where(_fits(levels, active, room, settings.depth), cost, np.inf)
        )
        i, j = divmod(int(allowed.argmin()), features)
        rotation = _rotate(matrix, i, j, drop=True)
        found.append(rotation)
        active[rotation.other] = False
        levels[rotation.kept] = max(levels[i], levels[j]) + 1
        cost[rotation.other, :] = cost[:, rotation.other] = np.inf
        row = np.where(active, _costs(matrix, rotation.kept, settings.pairs), np.inf)
        row[rotation.kept] = np.inf
        # The upper triangle holds each pair once.
        cost[rotation.kept, rotation.kept :] = row[rotation.kept :]
        cost[: rotation.kept, rotation.kept] = row[: rotation.kept]
    return found, tuple(map(int, active.nonzero()[0]))


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


def _rotate(matrix: np.ndarray, i: int, j: int, drop: bool) -> Rotation:
    """Rotate two features to their principal axes; the one of larger variance stays the larger."""
    kept, other = (i, j) if matrix[i, i] >= matrix[j, j] else (j, i)
    angle = principal_angle(matrix[kept, kept], matrix[other, other], matrix[kept, other])
    cos, sin = math.cos(angle), math.sin(angle)
    for view in (matrix, matrix.T):
        first, second = view[kept].copy(), view[other].copy()
        view[kept], view[other] = cos * first + sin * second, cos * second - sin * first
    return Rotation(kept, other, angle, drop)
