"""Signs as bits, eight a byte."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hybrid_qproj.codec.book import ENTRIES
from hybrid_qproj.codec.layout import BITS


def pack_bits(above: Tensor) -> Tensor:
    """Bits as bytes, the first one most significant, filled up with zeros.

    Args:
        above: (n, b), bool.

    Returns:
        (n, ceil(b / 8)), uint8.
    """
    return torch.from_numpy(np.packbits(above.numpy(), axis=1))


def unpack_bits(codes: Tensor, count: int) -> Tensor:
    """The first bits of bytes, (n, count), uint8."""
    return torch.from_numpy(np.unpackbits(codes.numpy(), axis=1, count=count))


def sign_values(count: int) -> Tensor:
    """What bits stand for in each value of the byte that holds them: -1 or 1, (count, 256), float32."""
    shifts = BITS - 1 - torch.arange(count) % BITS
    return (torch.arange(ENTRIES) >> shifts[:, None] & 1).float() * 2 - 1
