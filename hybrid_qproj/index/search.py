"""Search over a store of angles: FAISS finds candidates by L2 distance, exact fidelity orders them.

For close states -log F is a quarter of the squared L2 distance of the angles, so the nearest by L2 hold the most
faithful; how many candidates it takes is measured by `AngleIndex.recall`.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.extras import require
from hybrid_qproj.index.exhaustive import Hits, check_queries, exhaustive_search
from hybrid_qproj.index.store import AngleStore, StoreError
from hybrid_qproj.similarity import LEAST

Kind = Literal["flat", "ivf", "hnsw"]
KINDS: tuple[str, ...] = get_args(Kind)
INDEX = "index.faiss"
SETTINGS = "index.json"
NEIGHBOURS = 32
"""Edges a node of the HNSW graph."""
TRAINING = 64
"""Documents a cell that train IVF's k-means."""
VISITED = 8
"""Cells of IVF that a search visits at least, unless told otherwise; a sixteenth of them where there are many."""
CANDIDATES = 4
"""Documents of the first stage for each that is wanted, unless told otherwise."""
PAIRS = 1 << 22
"""Angles of candidates that are scored at once."""


class AngleIndex:
    """A first stage over a store, and exact scores on top.

    Args:
        store: the documents.
        kind: ``"flat"`` compares with all, ``"ivf"`` with those in the nearest cells, ``"hnsw"`` walks a graph.
        candidates: documents of the first stage for each that is wanted.

    Attributes:
        store: the documents.

    Raises:
        ValueError: an unknown kind, or fewer than one candidate.
        StoreError: an empty store.
        MissingExtraError: faiss is not installed.
    """

    def __init__(self, store: AngleStore, kind: Kind = "flat", candidates: int = CANDIDATES) -> None:
        if kind not in KINDS or candidates < 1:
            raise ValueError(
                f"kind={kind!r}, candidates={candidates}: expected one of {', '.join(KINDS)} and at least 1"
            )
        if not store.rows:
            raise StoreError(f"{store.folder} holds no documents to index")
        self.store, self.kind, self.candidates = store, kind, candidates
        self._index = self._empty()
        self._extend()

    def _empty(self) -> Any:
        faiss = _faiss()
        width, rows = self.store.width, self.store.rows
        if self.kind == "flat":
            return faiss.IndexFlatL2(width)
        if self.kind == "hnsw":
            return faiss.IndexHNSWFlat(width, NEIGHBOURS)
        cells = max(1, min(round(4 * math.sqrt(rows)), rows // TRAINING))
        index = faiss.IndexIVFFlat(faiss.IndexFlatL2(width), width, cells)
        generator = torch.Generator().manual_seed(0)
        sample = torch.randperm(rows, generator=generator)[: cells * TRAINING].sort().values
        index.train(self.store.gather(sample).numpy())
        index.nprobe = max(VISITED, cells // 16)
        return index

    def _extend(self) -> None:
        """Take in what the store has and the index has not."""
        for start, angles in self.store.chunks():
            if start + len(angles) > self._index.ntotal:
                self._index.add(angles[self._index.ntotal - start :].numpy())

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
        """The documents of highest fidelity.

        Args:
            queries: angles, (n, width).
            k: documents for each query, at least 1.
            effort: cells that ``"ivf"`` visits, or length of the list that ``"hnsw"`` keeps; more finds more. None
                for a sixteenth of the cells, or twice the candidates.

        Returns:
            log fidelities and positions, best first.

        Raises:
            ValueError: k is not positive, or the width differs.
        """
        check_queries(self.store, queries, k)
        angles = queries.detach().float().cpu()
        wanted = min(self.store.rows, k * self.candidates + len(self.store.removed))
        found = torch.from_numpy(self._first_stage(angles, wanted, effort))
        alive = found >= 0
        if self.store.removed:
            alive &= ~torch.isin(found, torch.tensor(sorted(self.store.removed)))
        scores = torch.full(found.shape, -math.inf)
        step = max(1, PAIRS // (found.shape[1] * self.store.width))
        for start in range(0, len(angles), step):
            part = slice(start, start + step)
            documents = self.store.gather(found[part].clamp_min(0))
            scores[part] = _scores(angles[part, None], documents)
        scores[~alive] = -math.inf
        # Stable, and in the order of positions: equal scores do not depend on the first stage.
        order = found.argsort(dim=1)
        found, scores = found.gather(1, order), scores.gather(1, order)
        best = scores.argsort(dim=1, descending=True, stable=True)[:, :k]
        scores, found = scores.gather(1, best), found.gather(1, best)
        return Hits(scores, torch.where(scores.isinf(), -1, found))

    def _first_stage(self, angles: Tensor, wanted: int, effort: int | None) -> Any:
        faiss = _faiss()
        parameters = None
        if self.kind == "ivf" and effort is not None:
            parameters = faiss.SearchParametersIVF(nprobe=effort)
        elif self.kind == "hnsw":
            parameters = faiss.SearchParametersHNSW(efSearch=max(effort or 2 * wanted, wanted))
        return self._index.search(angles.numpy(), wanted, params=parameters)[1]

    def recall(self, queries: Tensor, k: int = 10, effort: int | None = None) -> float:
        """Share of the documents that an exhaustive search would return, and that `search` returns.

        Args:
            queries: angles, (n, width).
            k: documents for each query.
            effort: as for `search`.

        Returns:
            mean over queries, 0 to 1.
        """
        found, expected = self.search(queries, k, effort).positions, exhaustive_search(self.store, queries, k).positions
        hits = (found[:, :, None] == expected[:, None, :]).any(dim=1) & (expected >= 0)
        return (hits.sum() / (expected >= 0).sum()).item()

    def save(self) -> None:
        """Write the index beside the store's files; it appears whole or not at all."""
        content = _faiss().serialize_index(self._index).tobytes()
        write_atomically(self.store.folder / INDEX, content)
        settings = {"kind": self.kind, "candidates": self.candidates, "rows": self._index.ntotal}
        write_atomically(self.store.folder / SETTINGS, json.dumps(settings).encode())

    @classmethod
    def load(cls, folder: str | Path) -> AngleIndex:
        """Open a store and its index; documents that came later are taken in.

        Args:
            folder: the store's.

        Raises:
            StoreError: there is no store or no index, or one is damaged.
        """
        store = AngleStore(folder)
        path = store.folder / SETTINGS
        if not path.is_file():
            raise StoreError(f"{store.folder} has no index; build one with `hybrid-qproj index {store.folder}`")
        try:
            settings = json.loads(path.read_text(encoding="utf-8"))
            index = cls.__new__(cls)
            index.store, index.kind, index.candidates = store, settings["kind"], settings["candidates"]
            content = (store.folder / INDEX).read_bytes()
            index._index = _faiss().deserialize_index(_bytes_to_array(content))
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise StoreError(f"the index in {store.folder} cannot be read ({error}); build it again") from error
        if index._index.d != store.width or index._index.ntotal > store.rows:
            raise StoreError(f"the index in {store.folder} is of other documents; build it again")
        index._extend()
        return index


def _scores(queries: Tensor, documents: Tensor) -> Tensor:
    """`log_fidelity`, with few passes over memory; overwrites the documents."""
    overlaps = documents.sub_(queries).mul_(0.5).cos_().abs_().clamp_min_(LEAST)
    # A product costs less than a logarithm, and four of the least are still a normal number.
    for _ in range(2):
        if overlaps.shape[-1] % 2 == 0:
            overlaps, others = overlaps.chunk(2, dim=-1)
            overlaps.mul_(others)
    return 2 * overlaps.log().sum(dim=-1)


def _bytes_to_array(content: bytes) -> Any:
    return torch.frombuffer(bytearray(content), dtype=torch.uint8).numpy()


def _faiss() -> Any:
    return require("faiss", "index", "an index")
