"""The k best documents of each query, exhaustively and in bounded memory."""

from __future__ import annotations

import torch
from torch import Tensor

from hybrid_qproj.errors import ArgumentError
from hybrid_qproj.similarity.bound import best_by_bound
from hybrid_qproj.similarity.fidelity import as_matrices, pairwise_log_fidelity

CHUNK = 1 << 14
"""Documents whose bounds, or scores, are computed at once, unless told otherwise: they stay in cache."""
LEAST_DOCUMENTS = 50
"""For each that is wanted, from which on a bound is worth its product."""
SCORES_ON_GPU = 1 << 28
"""Scores that a GPU holds at once: a gigabyte in single precision."""


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
        columns = _best_columns(scores, self._k)
        candidates = torch.cat([self.scores, scores.gather(1, columns).to(self.scores.dtype)], dim=1)
        positions = columns + self._seen
        self._seen += scores.shape[1]
        # Stable, so that ties keep the order of the documents whatever the chunk.
        order = candidates.argsort(dim=1, descending=True, stable=True)[:, : self._k]
        self.scores = candidates.gather(1, order)
        self.positions = torch.cat([self.positions, positions], dim=1).gather(1, order)


def _best_columns(scores: Tensor, k: int) -> Tensor:
    """Columns of each row's k highest scores in their order, (rows, at most k); of equal ones the first.

    Without sorting whole rows, which takes longer than computing their scores.
    """
    if scores.shape[1] <= k:
        return torch.arange(scores.shape[1], device=scores.device).expand_as(scores)
    values, columns = scores.topk(k + 1, dim=1)
    least = values[:, k - 1 : k]
    if bool((values[:, k:] < least).all()):
        return columns[:, :k].sort(dim=1).values
    # Of several with the last score, topk takes any.
    above, equal = scores > least, scores == least
    chosen = above | (equal & (equal.cumsum(dim=1) <= k - above.sum(dim=1, keepdim=True)))
    return chosen.nonzero()[:, 1].view(len(scores), k)


def top_k_fidelity(queries: Tensor, documents: Tensor, k: int, chunk: int | None = None) -> tuple[Tensor, Tensor]:
    """The k documents of highest fidelity for each query, exhaustively and in bounded memory.

    Args:
        queries: angles in radians, (n, width).
        documents: angles in radians, (m, width).
        k: documents wanted for each query, at least 1; all m if there are fewer.
        chunk: documents scored at once; None for 16,384, and on a GPU for as many as make a gigabyte of scores.

    Returns:
        log fidelities and document indices (int64), each (n, min(k, m)), best first.

    Raises:
        ValueError: k or chunk is not positive, or the widths differ.
    """
    if chunk is None:
        # On a GPU a chunk is some hundred launches, whatever its size.
        chunk = max(CHUNK, SCORES_ON_GPU // max(1, len(queries))) if queries.is_cuda else CHUNK
    if k < 1 or chunk < 1:
        raise ArgumentError(f"k={k}, chunk={chunk}: expected whole numbers of at least 1")
    if len(documents) >= LEAST_DOCUMENTS * k and not queries.is_cuda:
        rows, _ = as_matrices(queries, documents[:1])
        pieces = documents.split(chunk)
        found = best_by_bound(rows.detach(), k, ((as_matrices(queries, part)[1].detach(), None) for part in pieces))
        if found is not None:
            return found.scores, found.positions
    best = BestScores(len(queries), k, queries.device, torch.promote_types(queries.dtype, torch.float32))
    with torch.no_grad():
        for start in range(0, len(documents), chunk):
            best.add(pairwise_log_fidelity(queries, documents[start : start + chunk]))
    return best.scores, best.positions
