"""What a codec refuses: schemes and scores that do not go with a head, and what is no output of one."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from hybrid_qproj._util.norms import unit
from hybrid_qproj.codec import registry
from hybrid_qproj.codec.errors import CodecError
from hybrid_qproj.codec.scheme import SCORES

Similarity = Literal["fidelity", "cosine"]
SLACK = 1e-3
"""Rounding in half precision can leave [0, pi] by a little."""


def check_codec(scheme: str, width: int, size: int, similarity: str, score: str | None = None) -> None:
    """Refuse what `Codec.fit` would refuse whatever the outputs.

    Args:
        scheme: a name of `hybrid_qproj.codec.registry.names`.
        width: k, numbers of an output.
        size: bytes of a code.
        similarity: of the head.
        score: what is wanted, or None.

    Raises:
        CodecError: an unknown scheme, bytes that it cannot give, or a score that does not go with it or the head.
    """
    found = registry.get(scheme)
    check_score(similarity, score)
    found.check(width, size)
    if score == "centred" and "mean" not in found.forms(width, size):
        raise CodecError(f"{scheme!r} stores no mean, so it has no score 'centred'; expected 'cosine'")


def check_score(similarity: str, score: str | None) -> None:
    """Refuse a score that does not go with the head's similarity.

    Args:
        similarity: of the head.
        score: what is wanted, or None.

    Raises:
        CodecError: it does not, or one of them is unknown.
    """
    if similarity not in get_args(Similarity):
        raise CodecError(f"outputs compared by {similarity!r:.60} have no codec; expected 'fidelity' or 'cosine'")
    if score is not None and score not in SCORES:
        raise CodecError(f"score {score!r:.60}: expected one of {', '.join(SCORES)}")
    if score == "fidelity" and similarity != "fidelity":
        raise CodecError(f"score 'fidelity' compares angles; outputs compared by {similarity!r} are none")


def checked_outputs(outputs: Any, similarity: str, width: int | None) -> Tensor:
    """Outputs of a head as the codec takes them.

    Args:
        outputs: what the user gave.
        similarity: of the head.
        width: k that they must have; None for any.

    Returns:
        (n, k), float32 on the CPU; vectors at unit norm.

    Raises:
        CodecError: they are none of such a head.
    """
    rows = torch.from_numpy(np.array(outputs)) if isinstance(outputs, np.ndarray) else outputs
    if not isinstance(rows, Tensor) or not rows.is_floating_point():
        kind = rows.dtype if isinstance(rows, Tensor) else type(rows).__name__
        raise CodecError(f"got outputs of type {kind}; expected a floating-point tensor or array")
    if rows.dim() != 2 or rows.shape[1] != (width or rows.shape[1]) or not rows.shape[1]:  # noqa: PLR2004 - a matrix
        raise CodecError(f"got outputs of shape {tuple(rows.shape)}; expected (n, {width or 'k'})")
    rows = rows.detach().float().cpu()
    if not bool(rows.isfinite().all()):
        row = int((~rows.isfinite()).any(dim=1).nonzero()[0])
        raise CodecError(f"output {row} holds numbers that are not finite; look at its text, or at the head")
    if similarity == "cosine":
        return unit(rows)
    if len(rows) and not (float(rows.min()) >= -SLACK and float(rows.max()) <= math.pi + SLACK):
        raise CodecError(
            f"angles from {float(rows.min()):.3g} to {float(rows.max()):.3g}; expected [0, pi]: outputs of a head that "
            "is compared by fidelity, or similarity='cosine' for vectors"
        )
    return rows
