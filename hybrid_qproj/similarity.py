"""Fidelity of product states, in log space: F = prod_i cos^2((theta_i - phi_i) / 2).

A product of hundreds of factors underflows float32 and kills gradients, so everything is a sum of logarithms and
exponentiated last, if at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from hybrid_qproj.bloch import log_bloch_fidelity, pairwise_log_bloch_fidelity

LEAST = 1e-9
"""Least overlap of two qubits: keeps logarithms finite, and four of them multiply to a normal float32 number."""

TILE = 1 << 18
"""Pairs handled at once: a few such float32 tiles stay in a core's cache."""

ROWS = 64
"""Rows of a tile; long columns of documents read each amplitude often."""


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
    return 2 * torch.cos((a - b) / 2).abs().clamp_min(LEAST).log().sum(dim=-1)


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
    a, b = _promote(a, b)
    if a.dim() != 2 or b.dim() != 2:  # noqa: PLR2004 - a matrix has two axes
        raise ValueError(f"got shapes {tuple(a.shape)} and {tuple(b.shape)}; expected (n, k) and (m, k)")
    return _PairwiseLogFidelity.apply(a, b)


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
    return torch.nn.functional.normalize(a, dim=-1) @ torch.nn.functional.normalize(b, dim=-1).T


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
    return torch.nn.functional.cosine_similarity(*_promote(a, b), dim=-1)


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


class BestScores:
    """The k best documents of each query, while scores come in chunks of documents.

    Args:
        queries: number of queries.
        k: documents kept for each.
        device: where the scores are.
        dtype: of the scores.

    Attributes:
        scores: (queries, at most k), best first.
        positions: of the documents, counted over all chunks, int64, same shape.
    """

    def __init__(
        self, queries: int, k: int, device: torch.device | None = None, dtype: torch.dtype = torch.float32
    ) -> None:
        self._k = k
        self._seen = 0
        self.scores = torch.empty((queries, 0), device=device, dtype=dtype)
        self.positions = torch.empty((queries, 0), dtype=torch.long, device=device)

    def add(self, scores: Tensor) -> None:
        """Take in the next documents.

        Args:
            scores: (queries, documents), higher is better.
        """
        positions = torch.arange(self._seen, self._seen + scores.shape[1], device=scores.device).expand_as(scores)
        self._seen += scores.shape[1]
        candidates = torch.cat([self.scores, scores.to(self.scores.dtype)], dim=1)
        # Stable, so that ties keep the order of the documents whatever the chunk.
        order = candidates.argsort(dim=1, descending=True, stable=True)[:, : self._k]
        self.scores = candidates.gather(1, order)
        self.positions = torch.cat([self.positions, positions], dim=1).gather(1, order)


def top_k_fidelity(queries: Tensor, documents: Tensor, k: int, chunk: int = 1 << 16) -> tuple[Tensor, Tensor]:
    """The k documents of highest fidelity for each query, exhaustively and in bounded memory.

    Args:
        queries: angles in radians, (n, width).
        documents: angles in radians, (m, width).
        k: documents wanted for each query, at least 1; all m if there are fewer.
        chunk: documents scored at once.

    Returns:
        log fidelities and document indices (int64), each (n, min(k, m)), best first.

    Raises:
        ValueError: k or chunk is not positive, or the widths differ.
    """
    if k < 1 or chunk < 1:
        raise ValueError(f"k={k}, chunk={chunk}: expected whole numbers of at least 1")
    best = BestScores(len(queries), k, queries.device, torch.promote_types(queries.dtype, torch.float32))
    with torch.no_grad():
        for start in range(0, len(documents), chunk):
            best.add(pairwise_log_fidelity(queries, documents[start : start + chunk]))
    return best.scores, best.positions


def _promote(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    if not a.shape or not b.shape or a.shape[-1] != b.shape[-1]:
        raise ValueError(f"got shapes {tuple(a.shape)} and {tuple(b.shape)}; expected last axes of the same width")
    dtype = torch.promote_types(torch.promote_types(a.dtype, b.dtype), torch.float32)
    return a.to(dtype), b.to(dtype)


class _PairwiseLogFidelity(torch.autograd.Function):
    """log F = 2 sum_i log |cos(theta_i/2) cos(phi_i/2) + sin(theta_i/2) sin(phi_i/2)|, tile by tile.

    The overlaps of a few qubits are multiplied before each logarithm, which costs far more than a product. The
    backward pass computes overlaps again instead of storing (n, m, k) of them.
    """

    QUBITS_PER_LOG = 8

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        states_a, states_b = _amplitudes(a), _amplitudes(b)
        result = a.new_zeros(len(a), len(b))
        for rows, columns in _tiles(len(a), len(b)):
            _add_logs(result[rows, columns], [x[:, rows, None] for x in states_a], [x[:, columns] for x in states_b])
        # A sum of rounded squares can exceed one by an ulp.
        return result.clamp_max_(0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        a, b = ctx.saved_tensors
        (cos_a, sin_a), (cos_b, sin_b) = _amplitudes(a), _amplitudes(b)
        by_a, by_b = torch.zeros_like(cos_a), torch.zeros_like(cos_b)
        for rows, columns in _tiles(len(a), len(b)):
            upstream = gradient[rows, columns]
            for i in range(len(cos_a)):
                c, s = cos_a[i, rows], sin_a[i, rows]
                cos, sin = cos_b[i, columns], sin_b[i, columns]
                overlap = torch.addcmul(c[:, None] * cos, s[:, None], sin)
                inside = overlap.abs() > LEAST
                # d log F / d theta = -sin((theta - phi)/2) / cos((theta - phi)/2)
                weight = torch.where(inside, upstream / overlap, 0)
                by_a[i, rows] += c * (weight @ sin) - s * (weight @ cos)
                by_b[i, columns] += cos * (s @ weight) - sin * (c @ weight)
        return by_a.T, by_b.T


def _amplitudes(angles: Tensor) -> tuple[Tensor, Tensor]:
    """Amplitudes of each qubit, qubits first: (k, n) each."""
    half = angles.T / 2
    return half.cos().contiguous(), half.sin().contiguous()


def _add_logs(total: Tensor, a: Sequence[Tensor], b: Sequence[Tensor]) -> None:
    """Add a tile's log fidelities to it.

    Args:
        total: (rows, columns).
        a: cosines and sines of the rows, (k, rows, 1) each.
        b: cosines and sines of the columns, (k, columns) each.
    """
    (cos_a, sin_a), (cos_b, sin_b) = a, b
    product, overlap = torch.empty_like(total), torch.empty_like(total)
    step = _PairwiseLogFidelity.QUBITS_PER_LOG
    for start in range(0, len(cos_a), step):
        qubits = range(start, min(start + step, len(cos_a)))
        for i in qubits:
            out = product if i == start else overlap
            torch.mul(cos_a[i], cos_b[i], out=out).addcmul_(sin_a[i], sin_b[i])
            if i != start:
                product.mul_(overlap)
        product.abs_()
        # No factor exceeds one: if the product is not below LEAST, none of them was.
        if bool((product < LEAST).any()):
            for i in qubits:
                torch.mul(cos_a[i], cos_b[i], out=overlap).addcmul_(sin_a[i], sin_b[i])
                total.add_(overlap.abs_().clamp_min_(LEAST).log_(), alpha=2)
        else:
            total.add_(product.log_(), alpha=2)


def _tiles(rows: int, columns: int) -> list[tuple[slice, slice]]:
    height = max(1, min(rows, ROWS, TILE))
    width = TILE // height
    return [
        (slice(top, top + height), slice(left, left + width))
        for top in range(0, rows, height)
        for left in range(0, columns, width)
    ]
