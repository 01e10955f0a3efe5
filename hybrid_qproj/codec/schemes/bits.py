"""Bits where the variance is: each output in as many bits as reverse water-filling gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import torch
from torch import Tensor

from hybrid_qproj._util.tensors import Form
from hybrid_qproj.codec.allocation import allocate
from hybrid_qproj.codec.book import ENTRIES, Book
from hybrid_qproj.codec.errors import CodecError
from hybrid_qproj.codec.gaussian import MOST_BITS, levels, nearest
from hybrid_qproj.codec.layout import BITS, Layout
from hybrid_qproj.codec.scheme import FLOAT, Scheme


@dataclass(frozen=True, eq=False)
class Bits(Scheme):
    """Outputs one by one, each in 0 to 8 bits by the levels of a normal distribution.

    Outputs of a head are sums of many numbers, and so nearly normal, of very different variances. A normal number of
    variance v in b bits is off by about v 4^-b in the mean square, so bits go one by one to the output whose error is
    largest, until all are given: reverse water-filling. Many outputs of few bits so beat few outputs of many. What is
    stored is three numbers an output; levels follow from the number of bits.

    Args:
        width: k.
        bytes: of a code, 1 to k.
        mean: of the outputs, (k,).
        deviation: standard deviation of each output, (k,).
        bits: of each output, (k,), uint8, 8 ``bytes`` in all.
    """

    name: ClassVar[str] = "bits"

    mean: Tensor
    deviation: Tensor
    bits: Tensor

    @classmethod
    def sizes(cls, width: int) -> Sequence[int]:
        """1 to k."""
        return range(1, width + 1)

    @classmethod
    def fit(cls, outputs: Tensor, size: int, seed: int) -> Self:
        """Fit to outputs; nothing is drawn."""
        del seed
        exact = outputs.double()
        deviation, mean = torch.std_mean(exact, dim=0, correction=0)
        bits = allocate(deviation.square(), BITS * size)
        return cls(outputs.shape[1], size, mean.float(), deviation.float(), bits)

    @classmethod
    def forms(cls, width: int, size: int) -> dict[str, Form]:
        """Names and forms of the tensors."""
        del size
        numbers = Form((width,), FLOAT)
        return {"mean": numbers, "deviation": numbers, "bits": Form((width,), (torch.uint8,))}

    def verify(self) -> None:
        """Refuse bits that do not add up."""
        super().verify()
        total, most = int(self.bits.sum(dtype=torch.long)), int(self.bits.max())
        if total != BITS * self.bytes or most > MOST_BITS or bool((self.deviation < 0).any()):
            raise CodecError(
                f"{total} bits, {most} at most and a least deviation of {float(self.deviation.min()):.3g}; expected "
                f"{BITS * self.bytes} bits for {self.bytes} bytes, {MOST_BITS} at most, and no negative deviation"
            )

    @cached_property
    def layout(self) -> Layout:
        """Where each output's bits are."""
        return Layout.of(self.bits)

    def encode(self, outputs: Tensor) -> Tensor:
        """Codes of outputs."""
        standard = (outputs - self.mean) / torch.where(self.deviation > 0, self.deviation, 1.0)
        numbers = torch.zeros(outputs.shape, dtype=torch.uint8)
        for bits in self.bits.unique().tolist():
            if bits:
                mine = self.bits == bits
                numbers[:, mine] = nearest(standard[:, mine], bits)
        return self.layout.pack(numbers)

    def fields(self, codes: Tensor) -> Tensor:
        """The fields of codes."""
        return self.layout.fields(codes)

    @cached_property
    def book(self) -> Book:
        """Levels of each output for each value of its field."""
        entries = torch.arange(ENTRIES)
        values = torch.empty(self.width, ENTRIES)
        tables = [torch.tensor(levels(bits), dtype=torch.float32) for bits in range(MOST_BITS + 1)]
        for output, bits in enumerate(self.bits.tolist()):
            mine = entries >> self.layout.shift[output] & (1 << bits) - 1
            values[output] = self.mean[output] + self.deviation[output] * tables[bits][mine]
        return Book(values, self.layout.field, len(self.layout.sizes))
