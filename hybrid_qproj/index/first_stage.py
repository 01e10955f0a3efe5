"""FAISS's index that finds candidates: which kinds there are, how one begins, and how far a search of it goes."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from hybrid_qproj._util.extras import require
from hybrid_qproj.index.reading import StoredAngles

Kind = Literal["flat", "ivf", "ivfpq", "hnsw"]
KINDS: tuple[str, ...] = get_args(Kind)
WITH_CELLS: tuple[str, ...] = ("ivf", "ivfpq")
"""Kinds whose search visits some cells."""
NEIGHBOURS = 32
"""Edges a node of the HNSW graph."""
TRAINING = 64
"""Documents a cell that train IVF's k-means."""
PART_BITS = 4
"""Bits of a number of ``"ivfpq"``: sixteen centres, which FAISS's fast scan looks up in registers."""
LEAST_TRAINING = 39 << PART_BITS
"""Rows that FAISS wants for so many centres."""
VISITED = 8
"""Cells of IVF that a search visits at least, unless told otherwise; a sixteenth of them where there are many."""


def empty_index(kind: Kind, store: StoredAngles) -> Any:
    """An index that holds no document yet.

    Args:
        kind: of the index.
        store: whose documents it is to hold; some of them train ``"ivf"`` and ``"ivfpq"``.

    Returns:
        FAISS's, by L2 distance.

    Raises:
        MissingExtraError: faiss is not installed.
        StoreError: a shard is damaged.
    """
    faiss = require("faiss", "index", "an index")
    width, rows = store.width, store.rows
    if kind == "flat":
        return faiss.IndexFlatL2(width)
    if kind == "hnsw":
        return faiss.IndexHNSWFlat(width, NEIGHBOURS)
    cells = max(1, min(round(4 * math.sqrt(rows)), rows // TRAINING))
    if kind == "ivf":
        index = faiss.IndexIVFFlat(faiss.IndexFlatL2(width), width, cells)
    else:
        index = faiss.IndexIVFPQFastScan(faiss.IndexFlatL2(width), width, cells, width, PART_BITS)
    generator = torch.Generator().manual_seed(0)
    sample = torch.randperm(rows, generator=generator)[: max(cells * TRAINING, LEAST_TRAINING)].sort().values
    points = store.form.row_points(store.stored_rows(sample))
    if kind == "ivfpq":
        points = points.repeat(math.ceil(LEAST_TRAINING / len(points)), 1)
    index.train(points.numpy())
    index.nprobe = max(VISITED, cells // 16)
    return index


def nearest(index: Any, kind: Kind, queries: Tensor, wanted: int, effort: int | None) -> Tensor:
    """The documents that are nearest by L2 distance, as far as the index finds them.

    Args:
        index: FAISS's.
        kind: of the index.
        queries: angles, (n, width), float32.
        wanted: documents for each query, at most as many as there are.
        effort: see `hybrid_qproj.index.search.AngleIndex.search`.

    Returns:
        positions, int64, (n, wanted); -1 where fewer were found.

    Raises:
        RuntimeError: FAISS's own: the index contradicts itself.
    """
    faiss = require("faiss", "index", "an index")
    parameters = None
    if kind in WITH_CELLS and effort is not None:
        parameters = faiss.SearchParametersIVF(nprobe=min(effort, index.nlist))
    elif kind == "hnsw":
        longest = min(effort or 2 * wanted, index.ntotal)
        parameters = faiss.SearchParametersHNSW(efSearch=max(longest, wanted))
    return torch.from_numpy(index.search(queries.numpy(), wanted, params=parameters)[1])
