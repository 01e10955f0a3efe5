"""Embedding to qubits: each number becomes the angle of one qubit."""

from __future__ import annotations

import math
from numbers import Real

import torch
from torch import Tensor, nn

from hybrid_qproj._util.norms import unit, widened
from hybrid_qproj.errors import ArgumentError


class AngleEncoding(nn.Module):
    """theta = pi/2 (1 + tanh(scale x)); the qubit is RY(-theta)|0>, as published (arXiv:2501.04591).

    Args:
        normalize: divide each embedding by its Euclidean norm first.
        scale: factor in front of each number; None for the published encoding, which has none. Embeddings of
            unit norm have numbers near 1/sqrt(d): without a scale all their states lie close together.
        learn_scale: whether the scale is trained.

    Raises:
        ValueError: the scale is not a positive finite number.
    """

    def __init__(self, normalize: bool = False, scale: float | None = None, learn_scale: bool = True) -> None:
        super().__init__()
        if scale is not None and not _positive(scale):
            raise ArgumentError(f"scale={scale!r}: expected a positive finite number or None")
        self.normalize = normalize
        if scale is None:
            self.register_parameter("scale", None)
        else:
            self.scale = nn.Parameter(torch.tensor(float(scale)), requires_grad=learn_scale)

    def forward(self, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        """Encode.

        Args:
            embeddings: (..., d), float32 or float64.

        Returns:
            cosine and sine of the RY angle -theta, each (..., d): the qubit's Bloch vector is (sine, 0, cosine).
        """
        return encode(embeddings, self.scale, self.normalize)

    def extra_repr(self) -> str:
        """One line for the repr of a model."""
        scale = None if self.scale is None else round(self.scale.item(), 6)
        return f"normalize={self.normalize}, scale={scale}"


def _positive(scale: object) -> bool:
    """Whether it is a number above 0 that single precision holds."""
    return (
        isinstance(scale, Real) and not isinstance(scale, bool) and 0 < float(scale) <= torch.finfo(torch.float32).max
    )


def encode(embeddings: Tensor, scale: Tensor | None, normalize: bool) -> tuple[Tensor, Tensor]:
    """The encoding as a function of its scale, see `AngleEncoding`.

    Args:
        embeddings: (..., d), float32 or float64.
        scale: factor in front of each number, or None.
        normalize: whether each embedding is divided by its norm first.

    Returns:
        cosine and sine of the RY angle -theta, each (..., d).
    """
    if normalize:
        embeddings = unit(embeddings)
    if scale is not None:
        embeddings = embeddings * widened(scale, embeddings.dtype).to(embeddings.device)
    # tanh(x) = 2 sigmoid(2 x) - 1, of which torch is several times as fast; its rounding is that of 1, not of x.
    angle = torch.sigmoid(2 * embeddings) * -math.pi
    return angle.cos(), angle.sin()


def reprepare(z: Tensor) -> Tensor:
    """Sine of the angle theta' in [0, pi] with cos(theta') = z: the kept qubit goes on as RY(theta')|0>.

    Args:
        z: expectation values in [-1, 1].

    Returns:
        sqrt(1 - z^2), same shape. The gradient is finite everywhere; it is 0 at z = +-1, where the true one
        has no limit.
    """
    square = (1 - z) * (1 + z)
    inside = square > 0
    return torch.where(inside, torch.where(inside, square, 1).sqrt(), 0)
