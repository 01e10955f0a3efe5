"""Iterative quantisation (Gong and Lazebnik 2011): signs after the rotation that loses least by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import torch
from torch import Tensor

from hybrid_qproj._util.extras import require
from hybrid_qproj._util.tensors import Form
from hybrid_qproj.codec.book import Book
from hybrid_qproj.codec.layout import BITS
from hybrid_qproj.codec.packed import pack_bits, sign_values
from hybrid_qproj.codec.scheme import FLOAT, Scheme, Score, check_rotation, check_rows


@dataclass(frozen=True, eq=False)
class ITQ(Scheme):
    """Signs of rotated principal components. FAISS finds the rotation; codes are made without it.

    Args:
        width: k.
        bytes: of a code, 1 to k / 8.
        mean: of the outputs, (k,).
        rotation: rows of principal components, rotated among themselves, (8 ``bytes``, k).
        distance: root of the coded numbers' mean variance, (1,).
    """

    name: ClassVar[str] = "itq"
    score: ClassVar[Score] = "centred"
    draws: ClassVar[bool] = True
    uses_faiss: ClassVar[bool] = True

    mean: Tensor
    rotation: Tensor
    distance: Tensor

    @classmethod
    def sizes(cls, width: int) -> Sequence[int]:
        """1 to k / 8."""
        return range(1, width // BITS + 1)

    @classmethod
    def fit(cls, outputs: Tensor, size: int, seed: int) -> Self:
        """Fit to outputs."""
        width, bits = outputs.shape[1], BITS * size
        # Deviations from the mean of n outputs span n - 1 directions.
        check_rows(cls.name, outputs, bits + 1)
        faiss = require("faiss", "index", f"the codec {cls.name!r}")
        found = faiss.ITQTransform(width, bits, True)
        found.itq.seed = seed
        found.train(outputs.contiguous().numpy())
        mean = torch.from_numpy(faiss.vector_to_array(found.mean))
        rotation = torch.from_numpy(faiss.vector_to_array(found.pca_then_itq.A)).view(bits, width)
        check_rotation(cls.name, rotation)
        distance = ((outputs - mean) @ rotation.T).double().square().mean().sqrt().float()[None]
        return cls(width, size, mean, rotation, distance)

    @classmethod
    def forms(cls, width: int, size: int) -> dict[str, Form]:
        """Names and forms of the tensors."""
        return {
            "mean": Form((width,), FLOAT),
            "rotation": Form((BITS * size, width), FLOAT),
            "distance": Form((1,), FLOAT),
        }

    def verify(self) -> None:
        """Refuse a rotation that is none."""
        super().verify()
        check_rotation(self.name, self.rotation)

    def encode(self, outputs: Tensor) -> Tensor:
        """Codes of outputs."""
        return pack_bits((outputs - self.mean) @ self.rotation.T > 0)

    @cached_property
    def book(self) -> Book:
        """Corners of a cube, rotated back."""
        count = BITS * self.bytes
        values = self.distance * sign_values(count)
        return Book(values, torch.arange(count) // BITS, self.bytes, self.rotation, self.mean)
