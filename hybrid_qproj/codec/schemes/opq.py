"""Product quantisation after the rotation that suits it (Ge, He, Ke and Sun 2013)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import torch
from torch import Tensor

from hybrid_qproj._util.extras import require
from hybrid_qproj._util.tensors import Form
from hybrid_qproj.codec.book import Book
from hybrid_qproj.codec.scheme import FLOAT, check_rotation, check_rows
from hybrid_qproj.codec.schemes.pq import PQ


@dataclass(frozen=True, eq=False)
class OPQ(PQ):
    """A dense rotation, then `PQ`. FAISS finds both; codes are made without it.

    Args:
        width: k.
        bytes: of a code: parts, a divisor of k.
        centres: as of `PQ`, of rotated outputs.
        rotation: (k, k), applied as ``outputs @ rotation.T``.
    """

    name: ClassVar[str] = "opq"

    rotation: Tensor

    @classmethod
    def fit(cls, outputs: Tensor, size: int, seed: int) -> Self:
        """Fit to outputs; the rotation is found from FAISS's own fixed start, whatever the seed."""
        check_rows(cls.name, outputs, 2**cls.bits)
        faiss = require("faiss", "index", f"the codec {cls.name!r}")
        width = outputs.shape[1]
        found = faiss.OPQMatrix(width, cls.parts(size))
        inner = faiss.ProductQuantizer(width, cls.parts(size), cls.bits)
        inner.cp.min_points_per_centroid = 1
        found.pq = inner
        # FAISS keeps a matrix (k, k) in room for (n, k): with fewer rows than k it writes beyond the end. The same rows
        # again, all as often, say nothing else.
        found.train(outputs.repeat(-(-width // len(outputs)), 1).contiguous().numpy())
        rotation = torch.from_numpy(faiss.vector_to_array(found.A)).view(width, width)
        check_rotation(cls.name, rotation)
        return cls(width, size, cls.find_centres(outputs @ rotation.T, size, seed), rotation)

    @classmethod
    def forms(cls, width: int, size: int) -> dict[str, Form]:
        """Names and forms of the tensors."""
        return {**super().forms(width, size), "rotation": Form((width, width), FLOAT)}

    def verify(self) -> None:
        """Refuse a rotation that is none."""
        super().verify()
        check_rotation(self.name, self.rotation)

    def encode(self, outputs: Tensor) -> Tensor:
        """Codes of outputs."""
        return super().encode(outputs @ self.rotation.T)

    @cached_property
    def book(self) -> Book:
        """That of the parts, rotated back."""
        return dataclasses.replace(self.parts_book(), rotation=self.rotation)
