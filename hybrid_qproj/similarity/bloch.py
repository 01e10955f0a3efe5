"""Fidelity of products of mixed single-qubit states, given by their Bloch vectors, in log space.

For one qubit, F(r, s) = (1 + r.s + sqrt((1 - r.r)(1 - s.s))) / 2 (Jozsa 1994, Hübner 1992).
"""

from __future__ import annotations

import torch
from torch import Tensor

from hybrid_qproj._util.norms import widened
from hybrid_qproj.errors import ArgumentError

LEAST_FIDELITY = 1e-9
"""Of two qubits: keeps logarithms finite."""

QUBIT_PAIRS_AT_ONCE = 1 << 24
"""Bounds the memory of all pairs of states."""


def log_bloch_fidelity(a: Tensor, b: Tensor) -> Tensor:
    """Logarithm of the fidelity of paired states.

    Args:
        a: Bloch vectors, (..., 3 k): x of all k qubits, then y, then z; of length at most 1.
        b: likewise, broadcastable against ``a``.

    Returns:
        log F <= 0, natural logarithm, shape of the broadcast without its last axis; float32 at least.

    Raises:
        ValueError: the last axes differ, or are no multiple of 3.
    """
    a, b = _promote(a, b)
    return _log(_four(a) * _four(b), axis=-2)


def pairwise_log_bloch_fidelity(a: Tensor, b: Tensor) -> Tensor:
    """Logarithm of the fidelity of all pairs, some rows at a time.

    Args:
        a: Bloch vectors, (n, 3 k).
        b: Bloch vectors, (m, 3 k).

    Returns:
        log F, (n, m), float32 at least.

    Raises:
        ValueError: not two matrices of the same width.
    """
    a, b = _promote(a, b)
    if a.dim() != 2 or b.dim() != 2:  # noqa: PLR2004 - a matrix has two axes
        raise ArgumentError(f"got shapes {tuple(a.shape)} and {tuple(b.shape)}; expected (n, 3 k) and (m, 3 k)")
    # Qubits first: (k, rows, 4), so that a product of matrices gives all overlaps of a qubit.
    left, right = _four(a).permute(2, 0, 1), _four(b).permute(2, 1, 0)
    step = max(1, QUBIT_PAIRS_AT_ONCE // max(1, b.numel() // 3))
    tiles = [_log_overlaps(left[:, start : start + step] @ right).sum(dim=0) for start in range(0, len(a), step)]
    return torch.cat(tiles) if tiles else a.new_zeros(0, len(b))


def _promote(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    if not a.shape or not b.shape or a.shape[-1] != b.shape[-1] or a.shape[-1] % 3:
        raise ArgumentError(
            f"got shapes {tuple(a.shape)} and {tuple(b.shape)}; expected last axes of the same width, a multiple of 3"
        )
    dtype = torch.promote_types(torch.promote_types(a.dtype, b.dtype), torch.float32)
    return widened(a, dtype), widened(b, dtype)


def _four(bloch: Tensor) -> Tensor:
    """Unit vectors (r, sqrt(1 - r.r)) of four numbers, whose inner product gives the fidelity: (..., 4, k)."""
    # No component of a state is beyond 1 by more than rounding; products of such that are could be inf - inf.
    vectors = bloch.unflatten(-1, (3, -1)).clamp(-1, 1)
    square = 1 - vectors.square().sum(dim=-2, keepdim=True)
    # The root's slope is infinite at pure states; there the gradient is taken as 0.
    inside = square > 0
    return torch.cat([vectors, torch.where(inside, torch.where(inside, square, 1).sqrt(), 0)], dim=-2)


def _log(products: Tensor, axis: int) -> Tensor:
    return _log_overlaps(products.sum(dim=axis)).sum(dim=-1)


def _log_overlaps(inner: Tensor) -> Tensor:
    # Rounding can leave an inner product of unit vectors above 1 by an ulp.
    return ((1 + inner.clamp_max(1)) / 2).clamp_min(LEAST_FIDELITY).log()
