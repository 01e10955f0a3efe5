"""Angles in fewer bits: float32, float16, or a byte each."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor

Precision = Literal["float32", "float16", "uint8"]
PRECISIONS: tuple[str, ...] = get_args(Precision)
LEVELS = 255
"""Steps of a byte over [0, pi]: an angle is off by pi/510 = 0.0062 at most."""

SLACK = 1e-3
"""Rounding in half precision can leave the interval by a little."""


def pack(angles: Tensor, precision: Precision) -> Tensor:
    """Store angles in a precision.

    Args:
        angles: in [0, pi], floating point, any shape.
        precision: float32, float16 (off by 0.001 at most) or uint8 (0.0062).

    Returns:
        tensor of that dtype, same shape, on the CPU.

    Raises:
        ValueError: an unknown precision, or an angle that is no number in [0, pi].

    Examples:
        >>> unpack(pack(torch.tensor([0.0, 1.5, 3.14159]), "uint8"))
        tensor([0.0000, 1.5030, 3.1416])
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision {precision!r}: expected one of {', '.join(PRECISIONS)}")
    values = angles.detach().float().cpu()
    if not bool(((values >= -SLACK) & (values <= math.pi + SLACK)).all()):
        raise ValueError("angles must lie in [0, pi]: are these outputs of a quantum head?")
    if precision == "uint8":
        return (values.clamp(0, math.pi) * (LEVELS / math.pi)).round().to(torch.uint8)
    return values.to(getattr(torch, precision))


def unpack(stored: Tensor) -> Tensor:
    """Angles that `pack` stored, float32."""
    if stored.dtype == torch.uint8:
        return stored.float() * (math.pi / LEVELS)
    return stored.float()
