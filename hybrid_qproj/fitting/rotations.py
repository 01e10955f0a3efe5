"""Plane rotations of features, one after the other, and the plan of rotor blocks that does them side by side.

Where a feature is small, a qubit's <Z> is proportional to it, and the response of a rotor block,
cos(alpha) z_b + sin(alpha) x_b z_c, is a row of a plane rotation: x_b is near -1 for an encoded qubit and near 1 for
one that was prepared again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from hybrid_qproj.plan import Plan, Stage


class Rotation(NamedTuple):
    """A rotation in the plane of two features.

    Attributes:
        kept: feature that becomes cos(angle) kept + sin(angle) other.
        other: feature that becomes cos(angle) other - sin(angle) kept.
        angle: in radians.
    """

    kept: int
    other: int
    angle: float

    @property
    def reversed(self) -> Rotation:
        """The same rotation, its features named the other way round."""
        return Rotation(self.other, self.kept, -self.angle)


@dataclass(frozen=True)
class FittedPlan:
    """A plan with the target of each of its blocks.

    Attributes:
        plan: the plan.
        angles: rotor angles of each stage's blocks, (blocks,) each, float64, radians; those of tied blocks included.
    """

    plan: Plan
    angles: tuple[Tensor, ...]

    def responses(self) -> list[Tensor]:
        """What the rotor blocks read: response tensors, (blocks, 3, 3) for each stage, float64."""
        found = []
        for angles in self.angles:
            response = angles.new_zeros(len(angles), 3, 3)
            # f = (1, cos, sin): <Z> = cos(alpha) cos(b) + sin(alpha) cos(c) sin(b)
            response[:, 0, 1] = angles.cos()
            response[:, 1, 2] = angles.sin()
            found.append(response)
        return found


def schedule(features: int, rotations: list[Rotation], output: tuple[int, ...], name: str) -> FittedPlan:
    """Put rotations into as few stages as their order allows, and leave out what no output depends on.

    Args:
        features: d.
        rotations: in the order in which they are applied.
        output: features that are kept, in the order of the output.
        name: of the plan.

    Returns:
        the plan and its angles.
    """
    ready = [0] * features
    stages: list[dict[int, tuple[int, float]]] = []
    for rotation, both in _needed(rotations, output):
        number = max(ready[rotation.kept], ready[rotation.other])
        if number == len(stages):
            stages.append({})
        for kept, control, angle in (rotation, rotation.reversed) if both else (rotation,):
            # The sign of x_b, see above: a feature that no stage touched is an encoded qubit.
            stages[number][kept] = (control, angle if ready[kept] else -angle)
        ready[rotation.kept] = ready[rotation.other] = number + 1
    ordered = [dict(sorted(stage.items())) for stage in stages]
    plan = Plan(features, tuple(map(_stage, ordered)), output, name)
    return FittedPlan(
        plan, tuple(torch.tensor([angle for _, angle in s.values()], dtype=torch.float64) for s in ordered)
    )


def _needed(rotations: list[Rotation], output: tuple[int, ...]) -> list[tuple[Rotation, bool]]:
    """Rotations that an output depends on, in their order, and whether both their features are needed later."""
    needed = set(output)
    found = []
    for rotation in reversed(rotations):
        kept, other = rotation.kept in needed, rotation.other in needed
        if kept or other:
            found.append((rotation if kept else rotation.reversed, kept and other))
            needed.update((rotation.kept, rotation.other))
    return found[::-1]


def _stage(blocks: dict[int, tuple[int, float]]) -> Stage:
    """A stage of blocks, kept qubit -> control qubit and angle; the two halves of a rotation are tied."""
    control = tuple(c for c, _ in blocks.values())
    place = {kept: number for number, kept in enumerate(blocks)}
    # A control qubit that is written too is the other half's.
    tied = tuple(min(number, place.get(c, number)) for number, c in enumerate(control))
    return Stage(control, tuple(blocks), tied if len(set(tied)) < len(tied) else ())


def rotate(matrix: np.ndarray, i: int, j: int, swap: bool = True) -> Rotation:
    """Rotate two features of a covariance to their principal axes.

    Args:
        matrix: covariance, (d, d); rotated in place.
        i: a feature.
        j: another.
        swap: whether the one of larger variance before becomes the larger; else it is i in any case.

    Returns:
        the rotation, whose ``kept`` is the larger.
    """
    kept, other = (j, i) if swap and matrix[i, i] < matrix[j, j] else (i, j)
    angle = principal_angle(matrix[kept, kept], matrix[other, other], matrix[kept, other])
    cos, sin = math.cos(angle), math.sin(angle)
    for view in (matrix, matrix.T):
        first, second = view[kept].copy(), view[other].copy()
        view[kept], view[other] = cos * first + sin * second, cos * second - sin * first
    return Rotation(kept, other, angle)


def principal_angle(a: float, b: float, c: float) -> float:
    """Angle of the rotation that makes two features uncorrelated, the first of them with the larger variance.

    Args:
        a: variance of the first.
        b: variance of the second.
        c: their covariance.

    Returns:
        radians, in [-pi/2, pi/2].
    """
    return 0.5 * math.atan2(2 * c, a - b)
