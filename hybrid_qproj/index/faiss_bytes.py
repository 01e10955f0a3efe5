"""FAISS's index as bytes: what they say is checked, before memory is taken for it and before it is searched."""

from __future__ import annotations

import threading
from typing import Any

from hybrid_qproj._util.extras import require
from hybrid_qproj.index.first_stage import Kind

HEADER_BYTES = 37
"""Length of the header that all indexes have; behind it stands the number of cells of an IVF index."""
_READING = threading.Lock()


def to_bytes(index: Any) -> bytes:
    """FAISS's own format of an index."""
    content: bytes = require("faiss", "index", "an index").serialize_index(index).tobytes()
    return content


def from_bytes(content: bytes, kind: Kind, width: int, rows: int) -> Any:
    """Read an index whose bytes nobody vouches for.

    Args:
        content: in FAISS's format.
        kind: that it must be.
        width: of its rows.
        rows: that it must hold.

    Returns:
        FAISS's.

    Raises:
        ValueError: it is something else.
        RuntimeError: FAISS's own: it cannot be read.
        MemoryError: it says that it is larger than there is memory.
        MissingExtraError: faiss is not installed.
    """
    if kind == "ivf":
        check_cells(content, width, rows)
    index = _deserialize(content)
    check_index(index, kind, width, rows)
    return index


def check_cells(content: bytes, width: int, rows: int) -> None:
    """See how many cells an IVF index says that it has: FAISS believes it, and takes memory for each.

    Args:
        content: of the file.
        width: of a row.
        rows: of the index; it has no more cells.

    Raises:
        ValueError: more cells than rows, none, or another layout.
    """
    cells = int.from_bytes(content[HEADER_BYTES : HEADER_BYTES + 8], "little")
    # Behind the centres of the cells, with a header and their number before them.
    lists = HEADER_BYTES + 16 + HEADER_BYTES + 8 + cells * width * 4
    place = content.find(b"ilar", lists, lists + 64) if 1 <= cells <= rows else -1
    if place < 0 or int.from_bytes(content[place + 4 : place + 12], "little") != cells:
        raise ValueError(f"it says that it has {cells:,} cells for {rows:,} rows")


def check_index(index: Any, kind: Kind, width: int, rows: int) -> None:
    """Make sure that an index is what is said of it.

    Raises:
        ValueError: it is not.
    """
    faiss = require("faiss", "index", "an index")
    expected = {"flat": faiss.IndexFlat, "ivf": faiss.IndexIVFFlat, "hnsw": faiss.IndexHNSWFlat}[kind]
    if not isinstance(index, expected) or index.metric_type != faiss.METRIC_L2:
        raise ValueError(f"it is a {type(index).__name__}; expected an index of kind {kind!r}")
    if (index.d, index.ntotal) != (width, rows):
        raise ValueError(f"it holds {index.ntotal:,} rows of {index.d}; expected {rows:,} of {width}")
    if not index.is_trained:
        raise ValueError("it is not trained")
    if kind == "ivf":
        centres = index.quantizer
        if index.nprobe < 1 or (centres.d, centres.ntotal) != (width, index.nlist) or not centres.is_trained:
            raise ValueError("a search of it finds no cell")
        lists = index.invlists
        sizes = [lists.list_size(cell) for cell in range(index.nlist)]
        numbers = [faiss.rev_swig_ptr(lists.get_ids(cell), size) for cell, size in enumerate(sizes) if size]
        if sum(sizes) != rows or any(part.min() < 0 or part.max() >= rows for part in numbers):
            raise ValueError("its cells name rows that do not exist")
    if kind == "hnsw":
        neighbours = faiss.vector_to_array(index.hnsw.neighbors)
        offsets, levels = (faiss.vector_to_array(part) for part in (index.hnsw.offsets, index.hnsw.levels))
        sound = (
            len(levels) == rows
            and len(offsets) == rows + 1
            and offsets[0] == 0
            and bool((offsets[1:] >= offsets[:-1]).all())
            and offsets[-1] == len(neighbours)
            and (not len(neighbours) or (neighbours.min() >= -1 and neighbours.max() < rows))
            and 0 <= index.hnsw.entry_point < rows
        )
        if not sound:
            raise ValueError("its graph names rows that do not exist")


def _deserialize(content: bytes) -> Any:
    import numpy as np  # noqa: PLC0415 - beside faiss

    faiss = require("faiss", "index", "an index")
    # One at a time: the limit is FAISS's own, for the whole process.
    with _READING:
        before = faiss.get_deserialization_vector_byte_limit()
        faiss.set_deserialization_vector_byte_limit(len(content))
        try:
            return faiss.deserialize_index(np.frombuffer(content, dtype=np.uint8))
        finally:
            faiss.set_deserialization_vector_byte_limit(before)
