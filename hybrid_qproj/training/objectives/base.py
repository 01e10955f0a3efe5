"""What every training objective is: a loss of a head on a batch, the same code for quantum and classical heads."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from hybrid_qproj.errors import HybridQprojError
from hybrid_qproj.heads.base import Head


class ObjectiveError(HybridQprojError, ValueError):
    """An objective's keyword, or a batch, that it cannot work with."""


def check_scale(name: str, scale: float) -> None:
    """Refuse a factor on similarities that is not positive and finite.

    Args:
        name: what it is called, for the message.
        scale: the factor.

    Raises:
        ObjectiveError: it is not.
    """
    if not 0 < scale < math.inf:
        raise ObjectiveError(f"{name}={scale!r}: expected a positive number")


class Batch(NamedTuple):
    """A batch, column by column: queries, positives, then the hard negatives; or texts alone.

    Attributes:
        embeddings: before the head, (n, d) each.
        outputs: after the head, (n, width) each.
        documents: what the same texts are as documents, where these are coded; None where they are the outputs.
    """

    embeddings: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    documents: tuple[Tensor, ...] | None = None

    @property
    def as_documents(self) -> tuple[Tensor, ...]:
        """What the texts are as documents, (n, width) each."""
        return self.outputs if self.documents is None else self.documents

    @classmethod
    def of(cls, head: Head, columns: Sequence[Tensor]) -> Self:
        """Run a head on columns of embeddings.

        Args:
            head: the head; it runs once, whatever the number of columns.
            columns: uncompressed embeddings, (n, d) each.

        Returns:
            the batch.
        """
        outputs = head(torch.cat(list(columns)))
        return cls(tuple(columns), outputs.split([len(column) for column in columns]))


class Objective(nn.Module, ABC):
    """A loss; its parameters, such as a temperature, are trained with the head."""

    @abstractmethod
    def forward(self, head: Head, batch: Batch) -> Tensor:
        """The loss.

        Args:
            head: says how outputs are compared.
            batch: what the head made of a batch.

        Returns:
            a scalar.
        """


class WeightedSum(Objective):
    """Several objectives on the same batch.

    Args:
        parts: (weight, objective) each.
    """

    def __init__(self, *parts: tuple[float, Objective]) -> None:
        super().__init__()
        self.weights = tuple(weight for weight, _ in parts)
        self.objectives = nn.ModuleList(objective for _, objective in parts)

    def forward(self, head: Head, batch: Batch) -> Tensor:
        """The weighted sum of the losses."""
        losses = [weight * part(head, batch) for weight, part in zip(self.weights, self.objectives, strict=True)]
        return torch.stack(losses).sum()
