"""Every document compared with every query, shard by shard: the truth that an index is measured against."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from hybrid_qproj.index.errors import StoreError
from hybrid_qproj.index.form import Angles
from hybrid_qproj.index.reading import StoredAngles
from hybrid_qproj.similarity.bound import best_by_bound
from hybrid_qproj.similarity.topk import CHUNK, LEAST_DOCUMENTS, BestScores


class Hits(NamedTuple):
    """What a search found.

    Attributes:
        scores: log fidelities, or of codes their codec's scores, (queries, k), best first; -inf where fewer documents
            were found.
        positions: of the documents in the store, int64, same shape; -1 where fewer were found.
    """

    scores: Tensor
    positions: Tensor


def exhaustive_search(store: StoredAngles, queries: Tensor, k: int = 10) -> Hits:
    """The documents of highest fidelity among all of a store.

    Args:
        store: the documents.
        queries: angles, (n, width).
        k: documents for each query, at least 1.

    Returns:
        log fidelities and positions, best first; of equal ones the earlier document.

    Raises:
        StoreError: k is not positive, the width differs, a query is not finite, or a shard is damaged.
    """
    check_queries(store, queries, k)
    angles = queries.detach().float().cpu()
    nothing = BestScores(len(queries), k)
    parts = [best_of_shard(store, number, angles, k) for number in range(len(store.shards))]
    return merge([Hits(nothing.scores, nothing.positions), *parts], k)


def check_queries(store: StoredAngles, queries: Tensor, k: int) -> None:
    """Refuse what cannot be searched for.

    Raises:
        StoreError: k is not positive, the width differs, or a query is not real or not finite.
    """
    matrix = queries.dim() == 2 and queries.shape[1] == store.width  # noqa: PLR2004 - a matrix
    if not (type(k) is int and k >= 1 and matrix):
        raise StoreError(f"k={k!r}, queries of shape {tuple(queries.shape)}; expected k >= 1 and (n, {store.width})")
    if queries.is_complex():
        raise StoreError(f"queries of type {str(queries.dtype).removeprefix('torch.')}; expected angles, real numbers")
    finite = queries.isfinite().all(dim=1)
    if not bool(finite.all()):
        raise StoreError(f"query {int((~finite).nonzero()[0])} holds numbers that are not finite; expected angles")


def best_of_shard(store: StoredAngles, shard: int, queries: Tensor, k: int) -> Hits:
    """The documents of highest fidelity in one shard.

    Args:
        store: the documents.
        shard: its number.
        queries: angles, (n, width), float32.
        k: documents for each query.

    Returns:
        at most k log fidelities and positions a query, best first; where a score is -inf, its position says nothing.
    """
    removed = torch.tensor(sorted(store.removed), dtype=torch.long)
    first = sum(earlier.rows for earlier in store.shards[:shard])
    form = store.form

    def gone(start: int, rows: Tensor) -> Tensor:
        return removed[(removed >= start) & (removed < start + len(rows))] - start

    if isinstance(form, Angles) and store.shards[shard].rows >= LEAST_DOCUMENTS * k:
        parts = ((angles, gone(start, angles)) for start, angles in store.chunks(CHUNK, shard))
        found = best_by_bound(queries, k, parts)
        if found is not None:
            return Hits(found.scores, found.positions + first)
    best = BestScores(len(queries), k)
    for start, rows in store.stored_chunks(shard=shard):
        scores = form.scores(queries, rows)
        scores[:, gone(start, rows)] = -math.inf
        best.add(scores)
    return Hits(best.scores, best.positions + first)


def merge(parts: Sequence[Hits], k: int) -> Hits:
    """The best of several parts of a store.

    Args:
        parts: in the order of the store.
        k: documents for each query.

    Returns:
        at most k log fidelities and positions a query, best first.
    """
    scores, positions = (torch.cat(list(each), dim=1) for each in zip(*parts, strict=True))
    # Stable, so that equal scores keep the order of the store.
    order = scores.argsort(dim=1, descending=True, stable=True)[:, :k]
    scores, positions = scores.gather(1, order), positions.gather(1, order)
    return Hits(scores, torch.where(scores.isinf(), -1, positions))
