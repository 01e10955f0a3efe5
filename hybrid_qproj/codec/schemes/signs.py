"""One bit an output: on which side of its mean it lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import torch
from torch import Tensor

from hybrid_qproj._util.tensors import Form
from hybrid_qproj.codec.book import ENTRIES, Book
from hybrid_qproj.codec.errors import CodecError
from hybrid_qproj.codec.layout import BITS
from hybrid_qproj.codec.packed import pack_bits, sign_values
from hybrid_qproj.codec.scheme import FLOAT, Scheme, Score


@dataclass(frozen=True, eq=False)
class Signs(Scheme):
    """The sign of an output's deviation from the mean: the more likely outcome of measuring its qubit.

    Where there are more outputs than bits, those of largest variance are coded, and the others decode to their mean.
    All are off from the mean by the same, so that a code is a corner of a cube: at unit norm +-1 / sqrt(bits).

    Args:
        width: k.
        bytes: of a code, 1 to k / 8, rounded up; bits that are left over are zeros.
        mean: of the outputs, (k,).
        distance: root of the coded outputs' mean variance, (1,).
        chosen: outputs that are coded, in their order, (8 ``bytes``,), int64; empty where all are.
    """

    name: ClassVar[str] = "signs"
    score: ClassVar[Score] = "centred"

    mean: Tensor
    distance: Tensor
    chosen: Tensor

    @classmethod
    def sizes(cls, width: int) -> Sequence[int]:
        """1 to k / 8, rounded up."""
        return range(1, -(-width // BITS) + 1)

    @classmethod
    def fit(cls, outputs: Tensor, size: int, seed: int) -> Self:
        """Fit to outputs; nothing is drawn."""
        del seed
        width = outputs.shape[1]
        variance, mean = torch.var_mean(outputs.double(), dim=0, correction=0)
        chosen = torch.empty(0, dtype=torch.long)
        if BITS * size < width:
            chosen = variance.argsort(descending=True, stable=True)[: BITS * size].sort().values
            variance = variance[chosen]
        return cls(width, size, mean.float(), variance.mean().sqrt().float()[None], chosen)

    @classmethod
    def forms(cls, width: int, size: int) -> dict[str, Form]:
        """Names and forms of the tensors."""
        chosen = BITS * size if BITS * size < width else 0
        return {
            "mean": Form((width,), FLOAT),
            "distance": Form((1,), FLOAT),
            "chosen": Form((chosen,), (torch.int64,)),
        }

    def verify(self) -> None:
        """Refuse outputs that there are not."""
        super().verify()
        sound = bool((self.chosen.diff() > 0).all()) and bool(((self.chosen >= 0) & (self.chosen < self.width)).all())
        if not sound or float(self.distance) < 0:
            raise CodecError(f"expected ascending outputs of 0 to {self.width - 1} and a distance of at least 0")

    @property
    def _coded(self) -> Tensor:
        return self.chosen if len(self.chosen) else torch.arange(self.width)

    def encode(self, outputs: Tensor) -> Tensor:
        """Codes of outputs."""
        return pack_bits((outputs > self.mean)[:, self._coded])

    @cached_property
    def book(self) -> Book:
        """The mean plus or minus the distance."""
        coded = self._coded
        values = self.mean[:, None].repeat(1, ENTRIES)
        values[coded] += self.distance * sign_values(len(coded))
        field = torch.zeros(self.width, dtype=torch.long)
        field[coded] = torch.arange(len(coded)) // BITS
        return Book(values, field, self.bytes)
