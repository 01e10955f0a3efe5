"""From a covariance to a plan: features mix in pairs, merge in pairs until k are left, and exchange with the others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from torch import Tensor

from hybrid_qproj._util.validation import check_sizes
from hybrid_qproj.fitting.errors import FitError
from hybrid_qproj.fitting.exchange import exchange
from hybrid_qproj.fitting.merging import Pairs, merge
from hybrid_qproj.fitting.mixing import mix
from hybrid_qproj.fitting.rotations import FittedPlan, Rotation, schedule

LARGEST_POWER = 4
POWER = 0.5
"""Covariances are fitted by their square root: standard deviations, not variances."""

Merging = Literal["treelet", "select"]


@dataclass(frozen=True)
class FitSettings:
    """How a plan is chosen.

    Attributes:
        mixing: stages in which all features meet in pairs and both stay, before any is dropped.
        merging: ``"treelet"`` rotates a pair, keeps its larger component and drops the other, until k are left;
            ``"select"`` keeps the k features of largest variance as they are.
        pairs: which pair merges next: the one that loses least ``"variance"``, or the one of largest ``"correlation"``.
        depth: most stages that merge; None for as many as it takes.
        power: exponent of the covariance that pairs and angles are chosen by, above 0. With 1 the least variance is
            lost; below 1, directions of small variance count for more.
        angles: budget: what mixing and merging leave of it is spent on rotations of kept features with dropped ones;
            None for none of these.

    Raises:
        FitError: a negative number or an unknown word.
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
                raise FitError(f"{name}={getattr(self, name)!r}: expected one of {', '.join(words)}")
        if self.mixing < 0 or (self.depth is not None and self.depth < 1):
            raise FitError(f"mixing={self.mixing}, depth={self.depth}: expected mixing >= 0 and depth >= 1 or None")
        if not 0 < self.power <= LARGEST_POWER:
            raise FitError(f"power={self.power}: expected above 0 and at most {LARGEST_POWER}")
        if self.angles is not None and self.angles < 1:
            raise FitError(f"angles={self.angles}: expected a budget of at least 1, or None")

    def check(self, features: int, outputs: int) -> None:
        """See whether a plan of these sizes is possible.

        Args:
            features: d.
            outputs: k.

        Raises:
            FitError: the sizes are no compression, or depth or budget are too small for them.
        """
        check_sizes(features, outputs, rotation=self.mixing > 0 and self.merging == "select")
        merging = features - outputs if self.merging == "treelet" else 0
        if self.depth is not None and merging and features > outputs * 2**self.depth:
            least = math.ceil(math.log2(features / outputs))
            raise FitError(f"depth={self.depth}: {features} features merge to {outputs} in {least} stages at least")
        least = self.mixing * (features // 2) + merging
        if self.angles is not None and self.angles < least:
            raise FitError(
                f"angles={self.angles}: mixing and merging alone take {least} from {features} to {outputs}; raise the "
                "budget"
            )


def fit_plan(covariance: Tensor, outputs: int, settings: FitSettings | None = None) -> FittedPlan:
    """Plan and angles from the covariance of embeddings.

    A treelet (Lee, Nadler and Wasserman 2008, arXiv:0707.0481): of all pairs, the one is rotated to its principal
    axes whose smaller component has the least variance, which is dropped. Constant and duplicate columns are the first
    to go, since dropping them loses nothing. Equal choices are made in the order of the columns.

    Args:
        covariance: of the embeddings' numbers, (d, d).
        outputs: k, 1 <= k < d; d too where the settings mix and merge nothing.
        settings: how pairs are chosen; the defaults if None.

    Returns:
        the plan with a rotor angle a block; the same for the same covariance.

    Raises:
        FitError: sizes that are no compression, a covariance that is not square, symmetric and finite, or a depth
            or budget that is too small.
    """
    settings = settings or FitSettings()
    matrix = _checked(covariance)
    features = len(matrix)
    settings.check(features, outputs)
    matrix = _to_power(matrix, settings.power)
    rotations: list[Rotation] = []
    for _ in range(settings.mixing):
        rotations += mix(matrix)
    if settings.merging == "select":
        output = np.sort(np.argsort(-matrix.diagonal(), kind="stable")[:outputs])
    else:
        merged, output = merge(matrix, outputs, settings.pairs, settings.depth)
        rotations += merged
    if settings.angles is not None:
        rotations += exchange(matrix, output, settings.angles - len(rotations))
    name = settings.merging + (f" after {settings.mixing} mixing stages" if settings.mixing else "")
    name += f" within {settings.angles:,} angles" if settings.angles is not None else ""
    return schedule(features, rotations, tuple(map(int, output)), name)


def _checked(covariance: Tensor) -> np.ndarray:
    matrix: np.ndarray = covariance.detach().double().cpu().numpy().copy()
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():  # noqa: PLR2004 - a matrix
        raise FitError(f"got a covariance of shape {matrix.shape}; expected (d, d), finite")
    if not np.allclose(matrix, matrix.T, atol=1e-9 * max(1.0, float(np.abs(matrix).max()))):
        raise FitError("the covariance is not symmetric")
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
