"""Angles in fewer bits: float32, float16, or a byte each."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from hybrid_qproj.errors import ArgumentError

Precision = Literal["float32", "float16", "uint8"]
PRECISIONS: tuple[str, ...] = get_args(Precision)
LEVELS = 255
"""Steps of a byte between a row's least and greatest angle."""
TAIL = 4
"""Bytes of a row beside its angles: the least angle and the step, float16 each."""

SLACK = 1e-3
"""Rounding in half precision can leave the interval by a little."""


def stored_width(width: int, precision: Precision) -> int:
    """Numbers that a row takes on disk: of bytes, a few more than it has angles."""
    return width + TAIL if precision == "uint8" else width


def pack(angles: Tensor, precision: Precision) -> Tensor:
    """Store angles in a precision.

    Args:
        angles: in [0, pi], floating point, (..., k).
        precision: float32, float16 (off by 0.001 at most), or uint8: steps between the row's least and greatest angle,
            off by half a step, 0.0062 at most.

    Returns:
        tensor of that dtype on the CPU, (..., k), for uint8 (..., k + 4).

    Raises:
        ValueError: an unknown precision, or an angle that is no number in [0, pi].

    Examples:
        >>> unpack(pack(torch.tensor([[1.0, 1.5, 2.14159]]), "uint8"))
        tensor([[0.9990, 1.5015, 2.1430]])
    """
    if precision not in PRECISIONS:
        raise ArgumentError(f"precision {precision!r}: expected one of {', '.join(PRECISIONS)}")
    if angles.is_complex():
        # torch would drop the imaginary part.
        raise ArgumentError(f"angles of type {str(angles.dtype).removeprefix('torch.')}; expected real numbers")
    values = angles.detach().float().cpu()
    if not bool(((values >= -SLACK) & (values <= math.pi + SLACK)).all()):
        raise ArgumentError("angles must lie in [0, pi]: are these outputs of a quantum head?")
    if precision == "uint8":
        return _pack_bytes(values)
    return values.to(getattr(torch, precision))


def unpack(stored: Tensor) -> Tensor:
    """Angles that `pack` stored, float32."""
    if stored.dtype == torch.uint8:
        least, step = (
            stored[..., -TAIL:]
            .clone(memory_format=torch.contiguous_format)
            .view(torch.float16)
            .float()
            .split(1, dim=-1)
        )
        return torch.addcmul(least, stored[..., :-TAIL].float(), step).clamp_(0, math.pi)
    return stored.float()


def _pack_bytes(values: Tensor) -> Tensor:
    # Rounded to half precision, the interval must still hold the row: a bit lower, a bit wider.
    least = (values.amin(dim=-1, keepdim=True) - SLACK).half()
    step = ((values.amax(dim=-1, keepdim=True) - least.float()) / LEVELS * (1 + SLACK) + 1e-7).half()
    steps = ((values - least.float()) / step.float()).round_().clamp_(0, LEVELS).to(torch.uint8)
    return torch.cat([steps, torch.cat([least, step], dim=-1).view(torch.uint8)], dim=-1)
