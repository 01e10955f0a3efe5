"""Fidelity of product states, in log space: F = prod_i cos^2((theta_i - phi_i) / 2).

A product of hundreds of factors underflows float32 and kills gradients, so everything is a sum of logarithms and
exponentiated last, if at all.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hybrid_qproj._util.norms import unit, widened
from hybrid_qproj.errors import ArgumentError
from hybrid_qproj.similarity.bloch import log_bloch_fidelity, pairwise_log_bloch_fidelity
from hybrid_qproj.similarity.pairwise import PairwiseLogFidelity, log_of_pairs


def log_fidelity(a: Tensor, b: Tensor) -> Tensor:
    """Logarithm of the fidelity of paired states.

    Args:
        a: angles in radians, (..., k).
        b: angles in radians, broadcastable against ``a``.

    Returns:
        log F <= 0, natural logarithm, shape of the broadcast without its last axis; float32 at least. Orthogonal
        qubits contribute 2 log(1e-9) instead of -inf.

    Raises:
        ValueError: the last axes differ.

    Examples:
        >>> import torch
        >>> log_fidelity(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0])).item()
        0.0
    """
    a, b = _promote(a, b)
    return log_of_pairs(a, b)


def fidelity(a: Tensor, b: Tensor) -> Tensor:
    """Fidelity of paired states.

    Args:
        a: angles in radians, (..., k).
        b: angles in radians, broadcastable against ``a``.

    Returns:
        F in [0, 1], shape of the broadcast without its last axis; float32 at least.

    Raises:
        ValueError: the last axes differ.
    """
    return log_fidelity(a, b).exp()


def pairwise_log_fidelity(a: Tensor, b: Tensor) -> Tensor:
    """Logarithm of the fidelity of all pairs, in memory bounded by the output's.

    Args:
        a: angles in radians, (n, k).
        b: angles in radians, (m, k).

    Returns:
        log F, (n, m), float32 at least; once differentiable.

    Raises:
        ValueError: not two matrices of the same width.
    """
    return PairwiseLogFidelity.apply(*as_matrices(a, b))


def as_matrices(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Angles whose all pairs are to be compared: checked, and of one dtype, float32 at least.

    Raises:
        ValueError: not two matrices of the same width.
    """
    a, b = _promote(a, b)
    if a.dim() != 2 or b.dim() != 2:  # noqa: PLR2004 - a matrix has two axes
        raise ArgumentError(f"got shapes {tuple(a.shape)} and {tuple(b.shape)}; expected (n, k) and (m, k)")
    return a, b


def pairwise_fidelity(a: Tensor, b: Tensor) -> Tensor:
    """Fidelity of all pairs, in memory bounded by the output's.

    Args:
        a: angles in radians, (n, k).
        b: angles in radians, (m, k).

    Returns:
        F in [0, 1], (n, m), float32 at least; once differentiable.

    Raises:
        ValueError: not two matrices of the same width.
    """
    return pairwise_log_fidelity(a, b).exp()


def pairwise_cosine(a: Tensor, b: Tensor) -> Tensor:
    """Cosine similarity of all pairs, for the classical heads.

    Args:
        a: vectors, (n, k).
        b: vectors, (m, k).

    Returns:
        cosines, (n, m), float32 at least.

    Raises:
        ValueError: the widths differ.
    """
    a, b = _promote(a, b)
    return unit(a) @ unit(b).T


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Cosine similarity of paired vectors, for the classical heads.

    Args:
        a: vectors, (..., k).
        b: vectors, broadcastable against ``a``.

    Returns:
        cosines, shape of the broadcast without its last axis; float32 at least.

    Raises:
        ValueError: the last axes differ.
    """
    a, b = _promote(a, b)
    return (unit(a) * unit(b)).sum(dim=-1)


PAIRED = {"fidelity": log_fidelity, "bloch_fidelity": log_bloch_fidelity, "cosine": cosine}
"""Score of paired outputs, by a head's ``similarity``."""

PAIRWISE = {
    "fidelity": pairwise_log_fidelity,
    "bloch_fidelity": pairwise_log_bloch_fidelity,
    "cosine": pairwise_cosine,
}
"""All-pairs score for ranking and training, by a head's ``similarity``; fidelity as its logarithm, which ranks
the same and does not underflow."""

LOGARITHMIC = frozenset({"fidelity", "bloch_fidelity"})
"""Similarities that `PAIRED` and `PAIRWISE` give as their logarithm."""


def _promote(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    if not a.shape or not b.shape or a.shape[-1] != b.shape[-1]:
        raise ArgumentError(f"got shapes {tuple(a.shape)} and {tuple(b.shape)}; expected last axes of the same width")
    dtype = torch.promote_types(torch.promote_types(a.dtype, b.dtype), torch.float32)
    return widened(a, dtype), widened(b, dtype)
