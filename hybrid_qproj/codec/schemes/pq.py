"""Product quantisation (Jegou, Douze and Schmid 2011): each part of an output as the nearest of 256, or 16, centres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import torch
from torch import Tensor

from hybrid_qproj._util.extras import require
from hybrid_qproj._util.tensors import Form
from hybrid_qproj.codec.book import ENTRIES, Book
from hybrid_qproj.codec.layout import BITS
from hybrid_qproj.codec.scheme import FLOAT, Scheme, check_rows


@dataclass(frozen=True, eq=False)
class PQ(Scheme):
    """Parts of an output, a byte each. FAISS finds the centres; codes are made without it.

    Args:
        width: k.
        bytes: of a code: parts, a divisor of k.
        centres: of each part, (parts, 256, k / parts).
    """

    name: ClassVar[str] = "pq"
    draws: ClassVar[bool] = True
    uses_faiss: ClassVar[bool] = True
    bits: ClassVar[int] = 8
    """Of a part."""

    centres: Tensor

    @classmethod
    def parts(cls, size: int) -> int:
        """Parts in so many bytes."""
        return size * BITS // cls.bits

    @classmethod
    def sizes(cls, width: int) -> Sequence[int]:
        """Bytes whose number of parts divides k."""
        return [size for size in range(1, width + 1) if width % cls.parts(size) == 0]

    @classmethod
    def fit(cls, outputs: Tensor, size: int, seed: int) -> Self:
        """Fit to outputs."""
        return cls(outputs.shape[1], size, cls.find_centres(outputs, size, seed))

    @classmethod
    def find_centres(cls, outputs: Tensor, size: int, seed: int) -> Tensor:
        """Centres of the parts of outputs by FAISS's k-means.

        Raises:
            CodecError: fewer outputs than centres.
            MissingExtraError: FAISS is not installed.
        """
        check_rows(cls.name, outputs, 2**cls.bits)
        faiss = require("faiss", "index", f"the codec {cls.name!r}")
        width, parts = outputs.shape[1], cls.parts(size)
        quantizer = faiss.ProductQuantizer(width, parts, cls.bits)
        quantizer.cp.seed = seed
        # FAISS would warn on the terminal of fewer than it likes.
        quantizer.cp.min_points_per_centroid = 1
        quantizer.train(outputs.contiguous().numpy())
        return torch.from_numpy(faiss.vector_to_array(quantizer.centroids)).view(parts, 2**cls.bits, width // parts)

    @classmethod
    def forms(cls, width: int, size: int) -> dict[str, Form]:
        """Names and forms of the tensors."""
        parts = cls.parts(size)
        return {"centres": Form((parts, 2**cls.bits, width // parts), FLOAT)}

    def encode(self, outputs: Tensor) -> Tensor:
        """Codes of outputs."""
        pieces = outputs.unflatten(1, (len(self.centres), -1))
        nearest = torch.empty(pieces.shape[:2], dtype=torch.uint8)
        for part, centres in enumerate(self.centres):
            # The squared distance, but for what is the same for all centres.
            distances = torch.addmm(centres.square().sum(dim=1), pieces[:, part], centres.T, alpha=-2)
            nearest[:, part] = distances.argmin(dim=1)
        if self.bits == BITS:
            return nearest
        return nearest[:, ::2] | nearest[:, 1::2] << self.bits

    @cached_property
    def book(self) -> Book:
        """The centre's numbers for each value of the byte that names it."""
        return self.parts_book()

    def parts_book(self) -> Book:
        """That of the parts alone."""
        each = BITS // self.bits
        part = torch.arange(self.width) // self.centres.shape[2]
        entries = torch.arange(ENTRIES) >> self.bits * (part % each)[:, None] & (1 << self.bits) - 1
        numbers = torch.arange(self.width) % self.centres.shape[2]
        return Book(self.centres[part[:, None], entries, numbers[:, None]], part // each, self.bytes)


@dataclass(frozen=True, eq=False)
class PQ4(PQ):
    """Twice as many parts in half a byte each; otherwise as `PQ`."""

    name: ClassVar[str] = "pq4"
    bits: ClassVar[int] = 4
