"""The k best documents of each query by a bound: one matrix product says which documents can be among them.

Since log cos x <= -x^2 / 2 below pi/2, log F of angles in [0, pi] is at most a quarter of their negative squared L2
distance, and nearly that for close states. Pairs whose bound lies below the best scores so far are left out, and scores
of the others are computed as ever, so nothing is lost.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from hybrid_qproj.similarity.pairwise import log_of_pairs

ANGLES_AT_ONCE = 1 << 22
"""Of candidates, whose scores are computed at once."""
MOST = 0.02
"""Share of a chunk's pairs that may be candidates: with more, scores of all pairs cost less."""
BEYOND = 0.05
"""By which angles may leave [0, pi], as by rounding: differences up to 3.3 keep the bound."""


class BestByBound:
    """The k best documents of each query, while documents come in chunks.

    Args:
        queries: angles, (n, width), float32 or float64; see `is_sound`.
        k: documents kept for each.

    Attributes:
        scores: log fidelities, (n, k), best first; -inf where fewer documents came.
        positions: of the documents, counted over all chunks, int64, same shape; of equal ones the earlier first.
    """

    def __init__(self, queries: Tensor, k: int) -> None:
        self._queries = queries
        # From the middle, where sums of squares are small.
        self._centred = queries - math.pi / 2
        self._squares = self._centred.square().sum(dim=1)
        self._seen = 0
        self.scores = queries.new_full((len(queries), k), -math.inf)
        self.positions = torch.full((len(queries), k), -1)

    def add(self, documents: Tensor, without: Tensor | None = None) -> bool:
        """Take in the next documents.

        Args:
            documents: angles, (m, width), of the queries' dtype; see `is_sound`.
            without: rows that do not count, int64.

        Returns:
            whether the bound left few enough of them; if not, nothing was taken in.
        """
        centred = documents - math.pi / 2
        squares = centred.square().sum(dim=1)
        # -D / 2, but for the query's own square, which is the same for all documents.
        near = torch.addmm(squares[None], self._centred, centred.T, beta=-0.5)
        if without is not None:
            near[:, without] = -math.inf
        k = self.scores.shape[1]
        least = self.scores[:, -1]
        if self._seen < k <= len(documents) - (0 if without is None else len(without)):
            # The best by the bound give a first idea of what it takes.
            first = near.topk(k, dim=1).indices
            rows = torch.arange(len(first)).repeat_interleave(k)
            least = self._score(rows, first.flatten(), documents).view(first.shape).amin(dim=1)
        # Rounding of a product of as many terms, and of the scores themselves.
        most = self._squares + squares.max()
        margin = 4 * documents.shape[1] * torch.finfo(near.dtype).eps * (1 + most)
        reached = 2 * least + self._squares / 2 - margin
        # Where there are fewer than k yet, every document but those that do not count.
        reached.clamp_(min=torch.finfo(near.dtype).min)
        rows, columns = (near >= reached[:, None]).nonzero(as_tuple=True)
        if len(rows) > max(MOST * near.numel(), 4 * k * len(near)):
            return False
        self._take(rows, columns, self._score(rows, columns, documents))
        self._seen += len(documents)
        return True

    def _score(self, rows: Tensor, columns: Tensor, documents: Tensor) -> Tensor:
        step = max(1, ANGLES_AT_ONCE // documents.shape[1])
        parts = [
            log_of_pairs(self._queries[row], documents[column])
            for row, column in zip(rows.split(step), columns.split(step), strict=True)
        ]
        return torch.cat(parts) if parts else documents.new_empty(0)

    def _take(self, rows: Tensor, columns: Tensor, scores: Tensor) -> None:
        """Merge candidates, which are in the order of their rows, and of columns in each."""
        counts = torch.bincount(rows, minlength=len(self.scores))
        places = torch.arange(len(rows)) - (counts.cumsum(dim=0) - counts)[rows]
        width = int(counts.max()) if len(counts) else 0
        table = self.scores.new_full((len(counts), width), -math.inf)
        found = torch.full((len(counts), width), -1)
        table[rows, places] = scores
        found[rows, places] = columns + self._seen
        everything, positions = torch.cat([self.scores, table], dim=1), torch.cat([self.positions, found], dim=1)
        # Stable, so that ties keep the order of the documents.
        order = everything.argsort(dim=1, descending=True, stable=True)[:, : self.scores.shape[1]]
        self.scores, self.positions = everything.gather(1, order), positions.gather(1, order)


def best_by_bound(queries: Tensor, k: int, parts: Iterable[tuple[Tensor, Tensor | None]]) -> BestByBound | None:
    """The best of documents that come in chunks, if a bound finds them.

    Args:
        queries: as for `BestByBound`.
        k: likewise.
        parts: documents, and which of their rows do not count; see `BestByBound.add`.

    Returns:
        the best; None where the bound leaves too many documents, or does not hold for an angle.
    """
    if not is_sound(queries):
        return None
    best = BestByBound(queries, k)
    for documents, without in parts:
        if not is_sound(documents) or not best.add(documents, without):
            return None
    return best


def is_sound(angles: Tensor) -> bool:
    """Whether the bound holds for angles: finite, and in [0, pi] but for rounding."""
    if not angles.numel():
        return True
    least, most = torch.aminmax(angles)
    return bool((least >= -BEYOND) & (most <= math.pi + BEYOND))
