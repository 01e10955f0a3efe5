"""A classical head: each output reads the features that a quantum head of the published plan merges into it."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from hybrid_qproj._util.norms import tanh_of_sums
from hybrid_qproj._util.tensors import following
from hybrid_qproj._util.validation import check_embeddings
from hybrid_qproj.heads.base import Head
from hybrid_qproj.heads.config import HeadConfig
from hybrid_qproj.plan import Plan, chain


class GroupedLinear(Head):
    """One weight per input feature, then tanh: the classical twin of the quantum head.

    Output g is the tanh of a weighted sum of the features that the quantum head's ``chain`` plan merges into
    output g. It sees the same features through the simplest function of them.

    Args:
        in_features: d; the head has d weights and k biases.
        out_features: k, 1 <= k < d.
        generator: source of randomness of the start: truncation with a little noise, as the quantum head's.
    """

    random_start: ClassVar[bool] = True
    SCHEMA: ClassVar[type[HeadConfig]] = HeadConfig
    NOISE = 0.02

    def __init__(self, in_features: int, out_features: int, generator: torch.Generator | None = None) -> None:
        super().__init__(in_features, out_features)
        start = self.NOISE * torch.randn(in_features, generator=generator)
        start[:out_features] += 1
        self.weight = nn.Parameter(start)
        self.bias = nn.Parameter(torch.zeros(out_features))
        # No buffer: who averages models averages their buffers too, and features then go to other groups.
        self.group = _groups(chain(in_features, out_features))

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        self.group = following(fn, self.group)
        return super()._apply(fn, recurse)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Project (..., d) to (..., k) numbers in [-1, 1], of the same dtype; computed in float32 at least."""
        check_embeddings(embeddings, self.in_features)
        return tanh_of_sums(self._sums, embeddings, self.weight, self.bias)

    def _sums(self, embeddings: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        weighted = embeddings * weight
        sums = weighted.new_zeros(*weighted.shape[:-1], self.out_features).index_add(
            -1, self.group.to(weighted.device), weighted
        )
        return sums + bias


def _groups(plan: Plan) -> Tensor:
    """For each input feature, the output it merges into, (d,) int64."""
    found = {feature: output for output in range(len(plan.output)) for feature in plan.ancestry(output).features}
    return torch.tensor([found[feature] for feature in range(plan.features)])
