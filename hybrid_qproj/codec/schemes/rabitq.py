"""RaBitQ (Gao and Long 2024; with more bits Gao et al. 2025): a random rotation, few bits a number, and two floats.

The floats make inner products right: a factor by which they are right on average, and the inner product with the
mean, which is exact. Where a number has several bits FAISS keeps 12 bytes more, for bounds of distances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from hybrid_qproj._util.extras import require
from hybrid_qproj._util.tensors import Form
from hybrid_qproj.codec.errors import CodecError
from hybrid_qproj.codec.layout import BITS
from hybrid_qproj.codec.packed import unpack_bits
from hybrid_qproj.codec.scheme import FLOAT, Scheme, check_rotation

FLOATS = 8
"""Bytes of factor and inner product."""
FACTORS = 12
"""Bytes of factors that FAISS keeps between the signs and the other bits."""
SMALLEST = 1e-12


@dataclass(frozen=True, eq=False)
class RaBitQ(Scheme):
    """Rotated outputs in as few bits each as fill the bytes; else fewer principal components in more bits.

    Args:
        width: k.
        bytes: of a code.
        mean: of the outputs, (k,).
        rotation: random, of all outputs or of their first principal components, (dimensions, k).
    """

    name: ClassVar[str] = "rabitq"
    normalises: ClassVar[bool] = False
    draws: ClassVar[bool] = True
    uses_faiss: ClassVar[bool] = True

    mean: Tensor
    rotation: Tensor

    @staticmethod
    def shape(width: int, size: int) -> tuple[int, int]:
        """Bits a number, and numbers, of a code: the fewest bits of which they are whole bytes and k at most."""
        for bits in range(1, BITS + 1):
            numbers, rest = divmod(BITS * (size - FLOATS), bits)
            if not rest and 0 < numbers <= width and numbers % BITS == 0:
                return bits, numbers
        return 0, 0

    @classmethod
    def sizes(cls, width: int) -> Sequence[int]:
        """Those that `shape` can fill."""
        return [size for size in range(FLOATS + 1, width + FLOATS + 1) if cls.shape(width, size)[0]]

    @classmethod
    def fit(cls, outputs: Tensor, size: int, seed: int) -> Self:
        """Fit to outputs."""
        width = outputs.shape[1]
        numbers = cls.shape(width, size)[1]
        mean = outputs.double().mean(dim=0)
        drawn = torch.randn(numbers, numbers, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        rotation = torch.linalg.qr(drawn).Q
        if numbers < width:
            deviations = outputs.double() - mean
            # eigh sorts ascending.
            rotation = rotation @ torch.linalg.eigh(deviations.T @ deviations).eigenvectors[:, -numbers:].T
        return cls(width, size, mean.float(), rotation.float())

    @classmethod
    def forms(cls, width: int, size: int) -> dict[str, Form]:
        """Names and forms of the tensors."""
        return {"mean": Form((width,), FLOAT), "rotation": Form((cls.shape(width, size)[1], width), FLOAT)}

    def verify(self) -> None:
        """Refuse a rotation that is none."""
        super().verify()
        check_rotation(self.name, self.rotation)

    @property
    def book(self) -> None:
        """None: a factor of its own multiplies each document."""
        return

    def encode(self, outputs: Tensor) -> Tensor:
        """Codes of outputs: the bits of each number, most significant first, then the two floats."""
        bits, numbers = self.shape(self.width, self.bytes)
        deviations = outputs - self.mean
        rotated = (deviations @ self.rotation.T).contiguous()
        grid = _grid(rotated, bits)
        levels = grid.double() - (2**bits - 1) / 2
        factor = rotated.double().square().sum(dim=1) / (levels * rotated).sum(dim=1).clamp_min(SMALLEST)
        stream = (grid[:, :, None] >> torch.arange(bits - 1, -1, -1, dtype=torch.uint8) & 1).flatten(1)
        assert stream.shape[1] == bits * numbers
        tail = torch.stack([factor.float(), deviations @ self.mean], dim=1).view(torch.uint8)
        return torch.cat([torch.from_numpy(np.packbits(stream.numpy(), axis=1)), tail], dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        """Outputs that codes stand for; their inner products, not they, are right on average.

        Raises:
            CodecError: a float of a code is not finite.
        """
        bits, numbers = self.shape(self.width, self.bytes)
        # A copy: a single row is contiguous as it lies, where floats need not be aligned.
        floats = codes[:, -FLOATS:].clone(memory_format=torch.contiguous_format).view(torch.float32)
        if not bool(floats.isfinite().all()):
            raise CodecError(f"code {int((~floats.isfinite()).nonzero()[0, 0])} holds floats that are not finite")
        stream = unpack_bits(codes[:, :-FLOATS].contiguous(), bits * numbers).unflatten(1, (numbers, bits))
        grid = (stream << torch.arange(bits - 1, -1, -1, dtype=torch.uint8)).sum(dim=2, dtype=torch.uint8)
        deviations = (grid - (2**bits - 1) / 2) * floats[:, :1] @ self.rotation
        # What is known of the deviation along the mean takes the place of what the bits say.
        missing = (floats[:, 1] - deviations @ self.mean) / self.mean.square().sum().clamp_min(SMALLEST)
        return deviations + (1 + missing[:, None]) * self.mean


def _grid(rotated: Tensor, bits: int) -> Tensor:
    """The point of the grid that is nearest in direction, as FAISS finds it: (n, numbers), uint8, 0 to 2^bits - 1."""
    faiss: Any = require("faiss", "index", "the codec 'rabitq'")
    count, numbers = rotated.shape
    quantizer = faiss.RaBitQuantizer(numbers, faiss.METRIC_INNER_PRODUCT, bits)
    rows, centre = rotated.numpy(), np.zeros(numbers, dtype=np.float32)
    codes = np.zeros((count, quantizer.code_size), dtype=np.uint8)
    pointers = (faiss.swig_ptr(each) for each in (rows, codes, centre))
    quantizer.compute_codes_core(next(pointers), next(pointers), count, next(pointers))
    signs = np.unpackbits(codes[:, : numbers // BITS], axis=1, bitorder="little")
    if bits == 1:
        return torch.from_numpy(signs)
    start = numbers // BITS + FACTORS
    end = start + numbers * (bits - 1) // BITS
    others = np.unpackbits(codes[:, start:end], axis=1, bitorder="little").reshape(count, numbers, bits - 1)
    low = (others << np.arange(bits - 1, dtype=np.uint8)).sum(axis=2, dtype=np.uint8)
    return torch.from_numpy(signs << np.uint8(bits - 1) | low)
