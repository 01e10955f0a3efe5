"""Every output in the same number of bits, between its extremes: what vector databases call int8 and int4."""

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
from hybrid_qproj.codec.scheme import FLOAT, Scheme


@dataclass(frozen=True, eq=False)
class Int8(Scheme):
    """A byte an output: steps between the extremes of the outputs that it was fitted to, as FAISS's QT_8bit has them.

    Args:
        width: k.
        bytes: of a code: k.
        least: of each output, (k,).
        step: between two levels, (k,).
    """

    name: ClassVar[str] = "int8"
    bits: ClassVar[int] = 8
    """Of an output."""

    least: Tensor
    step: Tensor

    @classmethod
    def sizes(cls, width: int) -> Sequence[int]:
        """One: that of all outputs."""
        return (-(-width * cls.bits // BITS),)

    @classmethod
    def fit(cls, outputs: Tensor, size: int, seed: int) -> Self:
        """Fit to outputs; nothing is drawn."""
        del seed
        least, most = torch.aminmax(outputs, dim=0)
        return cls(outputs.shape[1], size, least, (most - least) / (2**cls.bits - 1))

    @classmethod
    def forms(cls, width: int, size: int) -> dict[str, Form]:
        """Names and forms of the tensors."""
        del size
        return {"least": Form((width,), FLOAT), "step": Form((width,), FLOAT)}

    def verify(self) -> None:
        """Refuse steps backwards."""
        super().verify()
        if bool((self.step < 0).any()):
            raise CodecError(f"a step of {float(self.step.min()):.3g}; expected none below 0")

    def encode(self, outputs: Tensor) -> Tensor:
        """Codes of outputs."""
        steps = (outputs - self.least) / torch.where(self.step > 0, self.step, 1.0)
        numbers = steps.round_().clamp_(0, 2**self.bits - 1).to(torch.uint8)
        if self.bits == BITS:
            return numbers
        numbers = torch.nn.functional.pad(numbers, (0, self.width % 2))
        return numbers[:, ::2] | numbers[:, 1::2] << self.bits

    @cached_property
    def book(self) -> Book:
        """Levels of each output."""
        each = BITS // self.bits
        outputs = torch.arange(self.width)
        numbers = torch.arange(ENTRIES) >> self.bits * (outputs % each)[:, None] & (1 << self.bits) - 1
        return Book(self.least[:, None] + self.step[:, None] * numbers, outputs // each, self.bytes)


@dataclass(frozen=True, eq=False)
class SQ4(Int8):
    """Half a byte an output; otherwise as `Int8`."""

    name: ClassVar[str] = "sq4"
    bits: ClassVar[int] = 4
