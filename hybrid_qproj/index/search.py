"""Search over a store of angles: FAISS finds candidates by L2 distance, exact fidelity orders them.

For close states -log F is a quarter of the squared L2 distance of the angles, so the nearest by L2 hold the most
faithful; how many candidates it takes is measured by `AngleIndex.recall`.
"""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hybrid_qproj.errors import on_one_line
from hybrid_qproj.index.errors import StoreError
from hybrid_qproj.index.exhaustive import Hits, check_queries, exhaustive_search
from hybrid_qproj.index.first_stage import KINDS, Kind, empty_index, nearest
from hybrid_qproj.index.saved import INDEX, MOST_CANDIDATES, SETTINGS, index_lock, read_index, write_index
from hybrid_qproj.index.store import AngleStore

__all__ = ["CANDIDATES", "INDEX", "KINDS", "SETTINGS", "AngleIndex", "Kind", "index_lock"]

CANDIDATES = 4
"""Documents of the first stage for each that is wanted, unless told otherwise."""
ANGLES_AT_ONCE = 1 << 22
"""Of candidates, that are scored at once."""


class AngleIndex:
    """A first stage over a store, and exact scores on top.

    Args:
        store: the documents.
        kind: ``"flat"`` compares with all, ``"ivf"`` with those in the nearest cells, ``"ivfpq"``
            likewise, by four bits a number, ``"hnsw"`` walks a graph.
        candidates: documents of the first stage for each that is wanted.

    Attributes:
        store: the documents.

    Raises:
        StoreError: an empty or damaged store, an unknown kind, or fewer than one candidate.
        MissingExtraError: faiss is not installed.
    """

    def __init__(self, store: AngleStore, kind: Kind = "flat", candidates: int = CANDIDATES) -> None:
        if kind not in KINDS or type(candidates) is not int or not 1 <= candidates <= MOST_CANDIDATES:
            raise StoreError(
                f"kind={kind!r}, candidates={candidates!r:.60}: expected one of {', '.join(KINDS)} and at least 1, "
                f"{MOST_CANDIDATES:,} at most"
            )
        if not store.rows:
            raise StoreError(f"{store.folder} holds no documents to index")
        self._set(store, kind, candidates, None)

    def _set(self, store: AngleStore, kind: Kind, candidates: int, index: Any) -> None:
        self.store, self.kind, self.candidates = store, kind, candidates
        self._growing = threading.Lock()
        self._index = index or empty_index(kind, store)
        self._extend()

    def _extend(self) -> None:
        """Take in what the store has and the index has not."""
        with self._growing:
            end = 0
            for number, shard in enumerate(self.store.shards):
                end += shard.rows
                if end > self._index.ntotal:
                    for start, rows in self.store.stored_chunks(shard=number):
                        new = rows[max(0, self._index.ntotal - start) :]
                        if len(new):
                            self._index.add(self.store.form.row_points(new).numpy())

    def add(self, ids: list[str], angles: Tensor) -> None:
        """Add documents to store and index.

        Args:
            ids: not in the store yet.
            angles: (len(ids), width), in [0, pi].

        Raises:
            StoreError: the store does not take them; nothing is added.
        """
        self.store.add(ids, angles)
        self._extend()

    def remove(self, ids: list[str]) -> None:
        """Remove documents: they are no longer found.

        Raises:
            StoreError: one is not there; none is removed.
        """
        self.store.remove(ids)

    def search(self, queries: Tensor, k: int = 10, effort: int | None = None) -> Hits:
        """The documents of highest fidelity. Safe from any number of threads, while none adds or removes.

        Args:
            queries: angles, (n, width).
            k: documents for each query, at least 1; all documents if there are fewer.
            effort: cells that ``"ivf"`` and ``"ivfpq"`` visit, or length of the list that ``"hnsw"`` keeps; more finds
                more. None for a sixteenth of the cells, or twice the candidates.

        Returns:
            log fidelities, or of codes their codec's scores, and positions, best first.

        Raises:
            StoreError: k or effort is not positive, the width differs, a query is not finite, or a shard is damaged.
        """
        check_queries(self.store, queries, k)
        if effort is not None and (type(effort) is not int or effort < 1):
            raise StoreError(f"effort={effort!r}: expected a whole number of at least 1")
        angles = queries.detach().float().cpu()
        removed = self.store.removed
        wanted = min(self._index.ntotal, k * self.candidates + len(removed))
        found = self._candidates(self.store.form.points(angles), wanted, effort)
        alive = found >= 0
        if removed:
            alive &= ~torch.isin(found, torch.tensor(sorted(removed)))
        scores = torch.full(found.shape, -math.inf)
        form = self.store.form
        step = max(1, ANGLES_AT_ONCE // (found.shape[1] * self.store.width))
        for start in range(0, len(angles), step):
            part = slice(start, start + step)
            scores[part] = form.pair_scores(angles[part], self.store.stored_rows(found[part].clamp_min(0)))
        scores[~alive] = -math.inf
        # Stable, and in the order of positions: equal scores do not depend on the first stage.
        order = found.argsort(dim=1)
        found, scores = found.gather(1, order), scores.gather(1, order)
        best = scores.argsort(dim=1, descending=True, stable=True)[:, :k]
        scores, found = scores.gather(1, best), found.gather(1, best)
        return Hits(scores, torch.where(scores.isinf(), -1, found))

    def _candidates(self, angles: Tensor, wanted: int, effort: int | None) -> Tensor:
        try:
            return nearest(self._index, self.kind, angles, wanted, effort)
        except RuntimeError as error:
            # What a file says that no check of ours asks.
            raise StoreError(
                f"{self.store.folder / INDEX} cannot be searched ({on_one_line(error)[:200]}); build it again"
            ) from error

    def recall(self, queries: Tensor, k: int = 10, effort: int | None = None) -> float:
        """Share of the documents that an exhaustive search would return, and that `search` returns.

        Args:
            queries: angles, (n, width).
            k: documents for each query.
            effort: as for `search`.

        Returns:
            mean over queries, 0 to 1.

        Raises:
            StoreError: as for `search`, or there is no document, or no query, to find one for.
        """
        found, expected = self.search(queries, k, effort).positions, exhaustive_search(self.store, queries, k).positions
        if not bool((expected >= 0).any()):
            raise StoreError(
                f"{len(queries)} queries, {len(self.store)} documents in {self.store.folder}: recall takes one of each"
            )
        hits = (found[:, :, None] == expected[:, None, :]).any(dim=1) & (expected >= 0)
        return (hits.sum() / (expected >= 0).sum()).item()

    def save(self) -> None:
        """Write the index beside the store's files; an older one is replaced whole, or stays.

        Raises:
            OutputError: it could not be written; an older index is unchanged.
            LockedError: somebody else is building the index.
        """
        with index_lock(self.store.folder):
            self._save()

    def _save(self) -> None:
        write_index(self.store, self._index, self.kind, self.candidates)

    @classmethod
    def build(cls, folder: str | Path, kind: Kind = "flat", candidates: int = CANDIDATES) -> AngleIndex:
        """Build and save the index of a store; nobody else does so at the same time.

        Args:
            folder: the store's.
            kind: as for the class.
            candidates: likewise.

        Raises:
            StoreError: there is no store, it is empty or damaged, or an unknown kind.
            LockedError: somebody else is building it.
            OutputError: a file could not be written; an older index is unchanged.
        """
        with index_lock(Path(folder)):
            index = cls(AngleStore(folder), kind, candidates)
            index._save()
            return index

    @classmethod
    def load(cls, folder: str | Path) -> AngleIndex:
        """Open a store and its index; documents that came later are taken in.

        Args:
            folder: the store's.

        Raises:
            StoreError: there is no store or no index, one is damaged, or the index is of other documents.
        """
        store = AngleStore(folder)
        found, kind, candidates = read_index(store)
        index = cls.__new__(cls)
        index._set(store, kind, candidates, found)
        return index
