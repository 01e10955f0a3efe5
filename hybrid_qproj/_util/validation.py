"""Checks at the package's boundary, shared by all heads."""

from __future__ import annotations

import torch
from torch import Tensor

from hybrid_qproj.errors import HybridQprojError


class SizeError(HybridQprojError, ValueError):
    """Numbers of inputs and outputs that are no compression."""


class EmbeddingsError(HybridQprojError, ValueError):
    """What is no batch of embeddings."""


class NotFiniteError(EmbeddingsError):
    """Embeddings that hold NaN or infinities."""


def check_sizes(in_features: int, out_features: int, rotation: bool = False) -> None:
    """Refuse sizes that are no compression.

    Args:
        in_features: d.
        out_features: k.
        rotation: whether k = d is sound: what only rotates is compressed by a codec.

    Raises:
        SizeError: not whole numbers with 1 <= k < d, or k = d where it is no rotation.
    """
    for name, value in (("in_features", in_features), ("out_features", out_features)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise SizeError(f"{name}={value!r}: expected a whole number")
    if not 1 <= out_features < in_features + rotation:
        raise SizeError(
            f"in_features={in_features}, out_features={out_features}: a projection compresses, so expected "
            f"1 <= out_features <{'=' * rotation} in_features"
        )


def check_embeddings(embeddings: Tensor, width: int, watched: bool = False) -> None:
    """Refuse what is no batch of embeddings.

    Args:
        embeddings: what the user gave.
        width: expected size of the last axis.
        watched: whether whoever reads them next sees numbers that are not finite, so that nobody has to look here.

    Raises:
        EmbeddingsError: not a floating-point tensor, or another width.
        NotFiniteError: a number is not finite, which is a ValueError too.
    """
    if not isinstance(embeddings, Tensor) or not embeddings.is_floating_point():
        kind = embeddings.dtype if isinstance(embeddings, Tensor) else type(embeddings).__name__
        raise EmbeddingsError(f"got embeddings of type {kind}; expected a floating-point tensor (call .float())")
    if not embeddings.shape or embeddings.shape[-1] != width:
        raise EmbeddingsError(f"got embeddings of shape {tuple(embeddings.shape)}; expected (..., {width})")
    # A graph being compiled cannot branch on data.
    if watched or torch.compiler.is_compiling():
        return
    # Whatever is not finite makes the sum so, and a sum takes one pass; large numbers can too, so look again.
    total = embeddings.detach().sum(dtype=torch.promote_types(embeddings.dtype, torch.float32))
    try:
        if total.isfinite() or embeddings.isfinite().all():
            return
    except RuntimeError:
        # torch.vmap and meta tensors have no value to look at.
        return
    what = "NaN" if embeddings.isnan().any() else "an infinity"
    wrong = embeddings.isnan() if what == "NaN" else embeddings.isinf()
    rows = wrong.any(dim=-1).flatten().nonzero().flatten().tolist()
    raise NotFiniteError(
        f"embeddings hold {what} in {len(rows)} of {embeddings[..., 0].numel()} rows, first in row {rows[0]}; "
        "look for overflow in the encoder (half precision?) or empty texts"
    )
