"""Log fidelities of all pairs, tile by tile on a CPU, by kernels on a GPU, and their gradients.

Angles are checked, and of one dtype, float32 or float64: `hybrid_qproj.similarity.fidelity` sees to that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

LEAST_OVERLAP = 1e-9
"""Of two qubits: keeps logarithms finite."""

QUBITS_PER_LOG = {torch.float32: 32, torch.float64: 8}
"""Qubits whose overlaps are multiplied before a logarithm, which costs far more than a product."""

PAIRS_PER_TILE = 1 << 18
"""Pairs handled at once: a few such float32 tiles stay in a core's cache."""

ROWS_PER_TILE = 64
"""Most rows of a tile; long columns of documents read each amplitude often."""


def log_of_pairs(a: Tensor, b: Tensor) -> Tensor:
    """Logarithm of the fidelity of paired states, a logarithm a qubit.

    Args:
        a: angles in radians, (..., k).
        b: likewise, broadcastable against ``a``.

    Returns:
        log F <= 0, shape of the broadcast without its last axis.
    """
    # Halved first: the difference of two huge angles can overflow.
    return 2 * torch.cos(a / 2 - b / 2).abs().clamp_min(LEAST_OVERLAP).log().sum(dim=-1)


class PairwiseLogFidelity(torch.autograd.Function):
    """log F of all pairs, tile by tile.

    The backward pass computes overlaps again instead of storing (n, m, k) of them.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        """Log F of angles (n, k) and (m, k): (n, m)."""
        ctx.save_for_backward(a, b)
        if a.is_cuda and b.is_cuda and 1 in (len(a), len(b)):
            # No larger than what is given; and for a single pair the kernel was seen to be wrong.
            return log_of_pairs(a[:, None], b[None])
        shifted = _shifted(a), _shifted(b)
        if a.is_cuda and b.is_cuda and shifted[0] is not None and shifted[1] is not None:
            group = QUBITS_PER_LOG[a.dtype]
            return _kernels().log_products(*shifted, (a, b), group, _orthogonal_below(a.dtype), LEAST_OVERLAP)
        result = a.new_zeros(len(a), len(b))
        for rows, columns in _tiles(len(a), len(b)):
            if shifted[0] is None or shifted[1] is None:
                _add_logs(result[rows, columns], a[rows], b[columns])
            else:
                tangents = [x[:, rows, None] for x in shifted[0]], [x[:, None, columns] for x in shifted[1]]
                _add_products(result[rows, columns], *tangents, (a[rows], b[columns]))
        # A sum of rounded squares can exceed one by an ulp.
        return result.clamp_max_(0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients by both, (n, k) and (m, k), from the one by log F, (n, m)."""
        a, b = ctx.saved_tensors
        if a.is_cuda and b.is_cuda:
            return _kernels().gradients(_amplitudes(a), _amplitudes(b), gradient, LEAST_OVERLAP)
        (cos_a, sin_a), (cos_b, sin_b) = _amplitudes(a), _amplitudes(b)
        by_a, by_b = torch.zeros_like(cos_a), torch.zeros_like(cos_b)
        for rows, columns in _tiles(len(a), len(b)):
            upstream = gradient[rows, columns]
            for i in range(len(cos_a)):
                c, s = cos_a[i, rows], sin_a[i, rows]
                cos, sin = cos_b[i, columns], sin_b[i, columns]
                overlap = torch.addcmul(c[:, None] * cos, s[:, None], sin)
                inside = overlap.abs() > LEAST_OVERLAP
                # d log F / d theta = -sin((theta - phi)/2) / cos((theta - phi)/2)
                weight = torch.where(inside, upstream / overlap, 0)
                by_a[i, rows] += c * (weight @ sin) - s * (weight @ cos)
                by_b[i, columns] += cos * (s @ weight) - sin * (c @ weight)
        return by_a.T, by_b.T


def _amplitudes(angles: Tensor) -> tuple[Tensor, Tensor]:
    """Amplitudes of each qubit, qubits first: (k, n) each."""
    half = angles.T / 2
    return half.cos().contiguous(), half.sin().contiguous()


def _shifted(angles: Tensor) -> tuple[Tensor, Tensor] | None:
    """Angles measured from pi/2, which changes no fidelity: theta' in [-pi/2, pi/2].

    Returns:
        tan(theta'/2), (k, n), and the sums of 2 log cos(theta'/2) over `QUBITS_PER_LOG` qubits each, (groups, n); None
        if an angle lies outside [0, pi].
    """
    # A rounded pi counts as pi.
    if not angles.numel() or angles.min().item() < 0 or angles.max().item() > math.pi * (1 + 1e-6):
        return None
    half = torch.empty(angles.shape[::-1], dtype=angles.dtype, device=angles.device)
    torch.mul(angles.T, 0.5, out=half)
    tangents = half.sub_(math.pi / 4).tan_()
    # 1 / cos^2 = 1 + tan^2
    one, size = tangents.new_ones(()), QUBITS_PER_LOG[angles.dtype]
    products = [torch.addcmul(one, x, x).prod(dim=0) for x in tangents.split(size)]
    return tangents, torch.stack(products).log_().neg_()


def _add_products(total: Tensor, a: Sequence[Tensor], b: Sequence[Tensor], angles: tuple[Tensor, Tensor]) -> None:
    """Add log fidelities to a tile, as those of prod_i cos^2 cos^2 (1 + tan(theta_i'/2) tan(phi_i'/2))^2.

    A qubit costs two multiplications and an addition for each pair; a logarithm serves many.

    Args:
        total: (rows, columns).
        a: what `_shifted` gives for the rows, (k, rows, 1) and (groups, rows, 1).
        b: the same for the columns, (k, 1, columns) and (groups, 1, columns).
        angles: of rows and columns, (rows, k) and (columns, k), for pairs of which some qubits are orthogonal.
    """
    logs_a, logs_b = a[1], b[1]
    tan_a, tan_b = a[0].unbind(0), b[0].unbind(0)
    product, term = torch.empty_like(total), torch.empty_like(total)
    total.add_(logs_a.sum(dim=0)).add_(logs_b.sum(dim=0))
    size = QUBITS_PER_LOG[total.dtype]
    for group, first in enumerate(range(0, len(tan_a), size)):
        last = min(first + size, len(tan_a))
        torch.mul(tan_a[first], tan_b[first], out=product).add_(1)
        for i in range(first + 1, last):
            product.addcmul_(product, torch.mul(tan_a[i], tan_b[i], out=term))
        orthogonal = None
        if product.min().item() < _orthogonal_below(total.dtype):
            orthogonal = (product < _orthogonal_below(total.dtype)).nonzero(as_tuple=True)
            product[orthogonal] = 1
        total.add_(product.log_(), alpha=2)
        if orthogonal:
            rows, columns = orthogonal
            exact = log_of_pairs(angles[0][rows, first:last], angles[1][columns, first:last])
            total[orthogonal] += exact - logs_a[group, rows, 0] - logs_b[group, 0, columns]


def _orthogonal_below(dtype: torch.dtype) -> float:
    """A product of overlaps below this has orthogonal qubits, which must show though other factors may double it.

    In single precision the factor of orthogonal qubits is 0, or far above `LEAST_OVERLAP` by rounding.
    """
    return torch.finfo(dtype).tiny if dtype == torch.float32 else 2 * LEAST_OVERLAP * 2.0 ** QUBITS_PER_LOG[dtype]


def _kernels() -> ModuleType:
    from hybrid_qproj.similarity import kernels  # noqa: PLC0415 - Triton comes with CUDA builds of torch only

    return kernels


def _add_logs(total: Tensor, a: Tensor, b: Tensor) -> None:
    """Add 2 sum_i log |cos((theta_i - phi_i)/2)| to a tile, a logarithm a qubit.

    Args:
        total: (rows, columns).
        a: angles of the rows, (rows, k).
        b: angles of the columns, (columns, k).
    """
    (cos_a, sin_a), (cos_b, sin_b) = _amplitudes(a), _amplitudes(b)
    overlap = torch.empty_like(total)
    for i in range(len(cos_a)):
        torch.mul(cos_a[i][:, None], cos_b[i], out=overlap).addcmul_(sin_a[i][:, None], sin_b[i])
        total.add_(overlap.abs_().clamp_min_(LEAST_OVERLAP).log_(), alpha=2)


def _tiles(rows: int, columns: int) -> list[tuple[slice, slice]]:
    height = max(1, min(rows, ROWS_PER_TILE, PAIRS_PER_TILE))
    width = PAIRS_PER_TILE // height
    return [
        (slice(top, top + height), slice(left, left + width))
        for top in range(0, rows, height)
        for left in range(0, columns, width)
    ]
