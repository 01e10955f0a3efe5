"""Heads at the two ends of the comparison: as few parameters as the quantum head, and no compression."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from hybrid_qproj._util.norms import tanh_of_sums, widened
from hybrid_qproj._util.schema import Strict, Width
from hybrid_qproj._util.validation import check_embeddings
from hybrid_qproj.errors import ArgumentError
from hybrid_qproj.heads.base import Head
from hybrid_qproj.heads.config import HeadConfig


class LowRankConfig(HeadConfig):
    """What is saved of a `LowRankLinear`."""

    rank: Width


class UncompressedConfig(Strict):
    """What is saved of an `Uncompressed`."""

    in_features: Width
    out_features: Width | None = None
    tanh: bool = False


class LowRankLinear(Head):
    """A linear layer of two factors, then tanh, compared by cosine: W = B A with A (r, d) and B (k, r).

    Args:
        in_features: d.
        out_features: k, 1 <= k < d; the head has r (d + k) + k parameters.
        rank: r, 1 <= r <= k.
        generator: source of randomness of the start; torch's global one when None.

    Raises:
        ValueError: the rank is out of range.

    Examples:
        >>> from hybrid_qproj.heads.linear import trainable_parameters
        >>> head = LowRankLinear.with_budget(768, 256, 6144)
        >>> head.rank, trainable_parameters(head)
        (5, 5376)
    """

    random_start: ClassVar[bool] = True
    budgeted: ClassVar[str | None] = "rank"
    SCHEMA: ClassVar[type[LowRankConfig]] = LowRankConfig

    def __init__(
        self, in_features: int, out_features: int, rank: int, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(in_features, out_features)
        if not 1 <= rank <= out_features:
            raise ArgumentError(f"rank={rank}: expected 1 to out_features={out_features}")
        self.rank = rank
        # Variances of Glorot and Bengio's for the product: each output starts as large as a full layer's.
        self.reduce = nn.Parameter(torch.randn(rank, in_features, generator=generator) / in_features**0.5)
        self.expand = nn.Parameter(torch.randn(out_features, rank, generator=generator) / rank**0.5)
        self.bias = nn.Parameter(torch.zeros(out_features))

    @classmethod
    def with_budget(
        cls, in_features: int, out_features: int, parameters: int, generator: torch.Generator | None = None
    ) -> Self:
        """The head of the largest rank whose parameters fit a budget.

        Args:
            in_features: d.
            out_features: k.
            parameters: the budget.
            generator: see the class.

        Returns:
            the head.

        Raises:
            ValueError: not even rank 1 fits.
        """
        rank = (parameters - out_features) // (in_features + out_features)
        if rank < 1:
            raise ArgumentError(
                f"{parameters} parameters are too few: rank 1 of {in_features} -> {out_features} needs "
                f"{in_features + 2 * out_features}"
            )
        return cls(in_features, out_features, min(rank, out_features), generator)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Project (..., d) to (..., k) numbers in [-1, 1], of the same dtype; computed in float32 at least."""
        check_embeddings(embeddings, self.in_features)
        return tanh_of_sums(self._sums, embeddings, self.reduce, self.expand, self.bias)

    @staticmethod
    def _sums(embeddings: Tensor, reduce: Tensor, expand: Tensor, bias: Tensor) -> Tensor:
        return nn.functional.linear(nn.functional.linear(embeddings, reduce), expand, bias)

    def config(self) -> dict[str, Any]:
        """Constructor keywords as plain values."""
        return {**super().config(), "rank": self.rank}


class Uncompressed(Head):
    """The embedding as it is, compared by cosine: what every compression is measured against.

    Args:
        in_features: d.
        out_features: d again, or None.
        tanh: whether tanh is taken of each number, as in the published code of arXiv:2501.04591.

    Raises:
        ValueError: the sizes differ.
    """

    compresses: ClassVar[bool] = False
    SCHEMA: ClassVar[type[UncompressedConfig]] = UncompressedConfig

    def __init__(self, in_features: int, out_features: int | None = None, tanh: bool = False) -> None:
        super().__init__(in_features, in_features if out_features is None else out_features)
        self.tanh = tanh

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return (..., d) as it is, or its tanh."""
        check_embeddings(embeddings, self.in_features)
        return tanh_of_sums(lambda numbers: numbers, embeddings) if self.tanh else embeddings

    def config(self) -> dict[str, Any]:
        """Constructor keywords as plain values."""
        # What is not chosen is not written: heads that were saved before there was a choice keep their fingerprints.
        return {**super().config(), **({"tanh": True} if self.tanh else {})}


class UncompressedQubits(Head):
    """A qubit for each number of the embedding, none merged with another, compared by fidelity.

    What a quantum head is measured against where only the compression is to differ, as in the published code of
    arXiv:2501.04591.

    Args:
        in_features: d.
        out_features: d again, or None.

    Raises:
        ValueError: the sizes differ.

    Examples:
        >>> import torch
        >>> UncompressedQubits(3)(torch.tensor([-100.0, 0.0, 100.0])) / torch.pi
        tensor([0.0000, 0.5000, 1.0000])
    """

    compresses: ClassVar[bool] = False
    similarity: ClassVar[str] = "fidelity"
    SCHEMA: ClassVar[type[HeadConfig]] = HeadConfig

    def __init__(self, in_features: int, out_features: int | None = None) -> None:
        super().__init__(in_features, in_features if out_features is None else out_features)

    def forward(self, embeddings: Tensor) -> Tensor:
        """The angles of `hybrid_qproj.encoding.AngleEncoding`, (..., d) in [0, pi]; computed in float32 at least."""
        check_embeddings(embeddings, self.in_features)
        wide = widened(embeddings, torch.promote_types(embeddings.dtype, torch.float32))
        with torch.autocast(embeddings.device.type, enabled=False):
            return (torch.sigmoid(2 * wide) * math.pi).to(embeddings.dtype)
