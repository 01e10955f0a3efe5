"""Staying near where a head began: what was fitted is not given up for a small training set."""

from __future__ import annotations

import torch
from torch import Tensor

from hybrid_qproj.heads.base import Head
from hybrid_qproj.training.objectives.base import Batch, Objective, WeightedSum


class Anchor(Objective):
    """Squared Euclidean distance of a head's trained parameters from those it has now.

    Used as a part of a `WeightedSum` it is the prior of a Gaussian around the start, which for a fitted head is the
    fitted solution (L2-SP: Li, Grandvalet and Davoine 2018, arXiv:1802.01483).

    Args:
        head: the head, as it is before training.
    """

    def __init__(self, head: Head) -> None:
        super().__init__()
        start = [p.detach().clone().flatten() for p in head.parameters() if p.requires_grad]
        self.start: Tensor
        self.register_buffer("start", torch.cat(start) if start else torch.empty(0))

    def forward(self, head: Head, batch: Batch) -> Tensor:
        """The distance, a scalar; the batch does not matter."""
        now = [p.flatten() for p in head.parameters() if p.requires_grad]
        return (torch.cat(now) - self.start).square().sum() if now else self.start.sum()


def anchored(objective: Objective, head: Head, weight: float) -> Objective:
    """An objective with the distance of a head from where it is now.

    Args:
        objective: the loss.
        head: the head, as it is before training.
        weight: of the distance; 0 leaves it out.

    Returns:
        the sum of both.
    """
    return WeightedSum((1.0, objective), (weight, Anchor(head))) if weight else objective
