"""Vectors of unit length, and half precision made single: finite, and with finite gradients, for any finite numbers.

A norm squares its numbers: in single precision those above 1e19 overflow, and the vector would come out as zeros. A
gradient by a short vector, or by half precision, can exceed what its dtype holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

SMALLEST = 1e-12
"""Least norm by which a vector is divided, as in torch.nn.functional.normalize."""

SHRINK = {torch.float32: 2.0**-80, torch.float64: 2.0**-600}
"""Factors that bring numbers whose squares overflow to where sums of squares do not; powers of two round nothing."""


def unit(vectors: Tensor, smallest: float = SMALLEST) -> Tensor:
    """Vectors divided by their Euclidean norm.

    Args:
        vectors: (..., k), float32 or float64.
        smallest: least norm by which a vector is divided.

    Returns:
        (..., k), of norm 1, or less where the norm was less than ``smallest``: such a vector has no direction to speak
        of, and gets no gradient.

    Examples:
        >>> unit(torch.tensor([[3e38, 0.0, 3e38], [0.0, 0.0, 0.0]]))
        tensor([[0.7071, 0.0000, 0.7071],
                [0.0000, 0.0000, 0.0000]])
    """
    if not torch.compiler.is_compiling():
        norm = vectors.norm(dim=-1, keepdim=True)
        if _all_ordinary(norm, smallest):
            return vectors / norm
    if not vectors.shape[-1]:
        return vectors
    shrink = _shrink(vectors)
    shrunk = vectors * shrink
    norm = shrunk.norm(dim=-1, keepdim=True)
    short = norm <= smallest
    result = shrunk / torch.where(short, smallest, norm)
    return torch.where(short, result.detach(), result)


def units_and_norms(vectors: Tensor, smallest: float = SMALLEST) -> tuple[Tensor, Tensor, Tensor | None]:
    """`unit` without a graph, and what its backward pass needs.

    Args:
        vectors: (..., k), float32 or float64.
        smallest: least norm by which a vector is divided.

    Returns:
        the unit vectors; what each was divided by, (..., 1), inf where no number is large enough; and which vectors
        get no gradient, (..., 1), or None if all do.
    """
    if not torch.compiler.is_compiling():
        norm = vectors.norm(dim=-1, keepdim=True)
        if _all_ordinary(norm, smallest):
            return vectors / norm, norm, None
        if _all_ordinary(norm, -1.0):
            short = norm <= smallest
            norm.clamp_min_(smallest)
            return vectors / norm, norm, short
    shrink = _shrink(vectors)
    shrunk = vectors * shrink
    norm = shrunk.norm(dim=-1, keepdim=True).clamp_min_(smallest)
    return shrunk.div_(norm), norm / shrink, norm <= smallest


def _all_ordinary(norm: Tensor, smallest: float) -> bool:
    try:
        if norm.is_cpu:
            return not norm.numel() or (norm.amin().item() > smallest and norm.amax().item() < math.inf)
        return bool(((norm > smallest) & (norm < math.inf)).all())
    except RuntimeError:
        # torch.func.vmap has no value to look at; what follows gives the same numbers in more steps.
        return False


def _shrink(vectors: Tensor) -> Tensor:
    factor = SHRINK[vectors.dtype]
    largest = vectors.detach().abs().amax(dim=-1, keepdim=True)
    # Well below where a square overflows; what is shrunk from there is still far above `SMALLEST`.
    return torch.where(largest > factor**-0.75, factor, torch.ones_like(largest))


def widened(value: Tensor, dtype: torch.dtype) -> Tensor:
    """A tensor in another dtype; if that is a wider one, the gradient comes back within what the narrow one holds.

    Args:
        value: floating point.
        dtype: floating-point dtype that is wanted.

    Returns:
        as ``value.to(dtype)``. A gradient beyond a quarter of the narrow dtype's largest number is that bound, not inf:
        a tensor that is compared with itself gets two gradients, whose sum is finite too.
    """
    if torch.finfo(value.dtype).bits >= torch.finfo(dtype).bits:
        return value.to(dtype)
    wide: Tensor = _Widened.apply(value, dtype)
    return wide


class _Widened(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(value: Tensor, dtype: torch.dtype) -> Tensor:
        return value.to(dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.narrow, ctx.wide = inputs[0].dtype, inputs[1]

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        bound = torch.finfo(ctx.narrow).max / 4
        return upstream.clamp(-bound, bound).to(ctx.narrow), None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: Any) -> Tensor:
        return tangent.to(ctx.wide)


def tanh_of_sums(sums: Callable[..., Tensor], vectors: Tensor, *weights: Tensor) -> Tensor:
    """Tanh of weighted sums, which saturates where sums would overflow to inf, or to the NaN of inf - inf.

    Args:
        sums: (vectors, *weights) -> sums.
        vectors: (..., k), floating point; computed in float32 at least, under autocast too.
        weights: any floating dtypes.

    Returns:
        ``tanh(sums(vectors, *weights))``, of the dtype of ``vectors``. If something overflows there, or can in its
        gradient, numbers within a factor of 2^24 of the dtype's largest count as that bound, and get no gradient.
    """
    dtype = torch.promote_types(vectors.dtype, torch.float32)
    wide, widths = widened(vectors, dtype), [widened(weight, dtype) for weight in weights]
    with single_precision(vectors):
        if not torch.compiler.is_compiling():
            result = sums(wide, *widths)
            total = result.detach().sum()
            if result.requires_grad:
                # Numbers that meet a weight of zero show in the gradient of that weight only.
                total = total + wide.detach().norm()
            if _is_finite(total):
                return torch.tanh(result).to(vectors.dtype)
        bound = torch.finfo(dtype).max * 2.0**-24
        return torch.tanh(sums(wide.clamp(-bound, bound), *widths)).to(vectors.dtype)


def _is_finite(total: Tensor) -> bool:
    try:
        return math.isfinite(total.item())
    except RuntimeError:
        # As in `_all_ordinary`.
        return False


def single_precision(vectors: Tensor) -> AbstractContextManager[Any]:
    """No autocast where a tensor is; entering that takes as long as a single embedding does, so only where one is.

    Args:
        vectors: on any device; one without numbers has no autocast.
    """
    device = vectors.device.type
    return (
        torch.autocast(device, enabled=False)
        if device != "meta" and torch.is_autocast_enabled(device)
        else nullcontext()
    )
