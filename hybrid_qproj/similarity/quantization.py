"""Outputs of a head in a byte or a bit a number, and back: without calibration, symmetric around an embedding of zeros.

sentence-transformers' own quantisation asks whether numbers are above zero, or where they lie between the extremes of
a sample. Angles are never negative, and codes of another sample's extremes mean nothing to a similarity. Here a code
means the same whatever it was encoded with, so that a model's ``similarity`` can decode it.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hybrid_qproj.errors import HybridQprojError

LEVELS = 255
"""Steps of a byte."""
PRECISIONS = ("int8", "uint8", "binary", "ubinary")
BITS = 8
CODE_TYPES = (torch.int8, torch.uint8)


class QuantizationError(HybridQprojError, ValueError):
    """Codes that cannot be made or read."""


class Code(NamedTuple):
    """How numbers of a kind of output become codes.

    Attributes:
        center: what an embedding of zeros gives: numbers above it are bits 1.
        half: half the range.
        sign: a bit stands for ``center`` plus or minus this.
    """

    center: float
    half: float
    sign: float


CODES = {
    # Two angles that differ by pi/2: qubits of fidelity 1/2, the least of which both still tell something.
    "fidelity": Code(math.pi / 2, math.pi / 2, math.pi / 4),
    # Of three components, each a bit: a pure state along a diagonal.
    "bloch_fidelity": Code(0.0, 1.0, 3**-0.5),
}
"""By a head's similarity."""


def quantize(values: Any, precision: str, similarity: str) -> Any:
    """Codes of outputs.

    Args:
        values: (..., k), NumPy or torch, floating point.
        precision: ``"int8"`` and ``"uint8"`` map the range linearly to -128..127 and 0..255 (off by 0.0062 rad at
            most for angles); ``"binary"`` and ``"ubinary"`` pack bits, 1 where a number is above its centre, as
            sentence-transformers packs them.
        similarity: of the head, a key of `CODES`.

    Returns:
        int8 or uint8, (..., k), or (..., ceil(k / 8)) for bits; NumPy, or torch on the CPU as the input was.

    Raises:
        QuantizationError: an unknown precision, or a number outside the range.

    Examples:
        >>> quantize(np.array([0.0, 1.5, math.pi]), "int8", "fidelity")
        array([-128,   -6,  127], dtype=int8)
    """
    if isinstance(values, Tensor):
        return torch.from_numpy(np.array(quantize(values.detach().float().cpu().numpy(), precision, similarity)))
    if precision not in PRECISIONS:
        raise QuantizationError(f"precision {precision!r}: expected one of float32, {', '.join(PRECISIONS)}")
    code = CODES[similarity]
    shares = (np.asarray(values, dtype=np.float64) - code.center) / code.half
    # Half precision rounds beyond the range by a little; what is no number is not below either.
    if not (np.abs(shares) <= 1 + 1e-2).all():
        raise QuantizationError(
            f"outputs compared by {similarity} lie within {code.half:.4g} of {code.center:.4g}, and some here do not: "
            "quantise what the head gave, unchanged"
        )
    if precision in ("binary", "ubinary"):
        packed = np.packbits(shares > 0, axis=-1)
        return packed if precision == "ubinary" else (packed ^ 0x80).view(np.int8)
    steps = np.clip(np.rint((shares + 1) / 2 * LEVELS), 0, LEVELS).astype(np.uint8)
    return steps if precision == "uint8" else (steps ^ 0x80).view(np.int8)


def dequantize(codes: Tensor, similarity: str, width: int) -> Tensor:
    """Outputs that codes stand for.

    Args:
        codes: (..., k) or packed bits, (..., ceil(k / 8)), int8 or uint8; of another dtype they are no codes.
        similarity: of the head, a key of `CODES`.
        width: k. Of a single number, bits and bytes cannot be told apart: bytes are meant.

    Returns:
        (..., k), float32; what is no code as it is.

    Raises:
        QuantizationError: the width is neither that of bytes nor that of bits.
    """
    if codes.dtype not in CODE_TYPES:
        return codes
    code = CODES[similarity]
    steps = codes if codes.dtype == torch.uint8 else codes.view(torch.uint8) ^ 0x80
    if codes.shape[-1] == width:
        return code.center + code.half * (steps.float() * (2 / LEVELS) - 1)
    if codes.shape[-1] != -(-width // BITS):
        raise QuantizationError(
            f"got {codes.dtype} codes of width {codes.shape[-1]}; the model gives {width} bytes, or bits packed in "
            f"{-(-width // BITS)} bytes: encode with precision= on the same model"
        )
    shifts = torch.arange(BITS - 1, -1, -1, device=codes.device, dtype=torch.uint8)
    bits = (steps.unsqueeze(-1) >> shifts & 1).flatten(-2)[..., :width]
    return code.center + code.sign * (2 * bits.float() - 1)
