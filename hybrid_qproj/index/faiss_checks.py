"""What FAISS's bytes say, checked before memory is taken for it and, read, before it is searched."""

from __future__ import annotations

from typing import Any

from hybrid_qproj._util.extras import require
from hybrid_qproj.index.first_stage import PART_BITS, VISITED, WITH_CELLS, Kind

HEADER_BYTES = 37
"""Length of the header that all indexes have; behind it stands the number of cells of an index that has cells."""
WORD = 8
"""Bytes of a size."""
BLOCK = 32
"""Rows whose codes stand together in a cell of ``"ivfpq"``."""
GAP = 128
"""Bytes at most between the centres of cells, or of numbers, and the cells themselves, beside what is counted."""


def check_content(content: bytes, kind: Kind, width: int, rows: int) -> None:
    """See what a file says that it needs: FAISS believes it, and takes memory for it.

    Args:
        content: of the file.
        kind: that it must be.
        width: of a row.
        rows: of the index.

    Raises:
        ValueError: more cells than rows, centres of another shape, rows that do not exist, or another layout.
    """
    if kind not in WITH_CELLS:
        return
    cells = _word(content, HEADER_BYTES)
    # Behind the centres of the cells, with a header and their number before them; then those of the numbers.
    lists = HEADER_BYTES + 2 * WORD + HEADER_BYTES + WORD + cells * width * 4
    centres = (width << PART_BITS) if kind == "ivfpq" else 0
    lists += 4 * centres
    place = content.find({"ivf": b"ilar", "ivfpq": b"ilbl"}[kind], lists, lists + GAP) if 1 <= cells <= rows else -1
    if place < 0 or _word(content, place + 4) != cells:
        raise ValueError(f"it says that it has {cells:,} cells for {rows:,} rows")
    if kind == "ivfpq":
        shape = place - 4 * centres - 4 * WORD
        if [_word(content, shape + WORD * part) for part in range(4)] != [width, width, PART_BITS, centres]:
            raise ValueError(f"it says that it has other centres than {1 << PART_BITS} for each of {width} numbers")
        _check_blocks(content, place + 4 + WORD, cells, width, rows)


def _check_blocks(content: bytes, place: int, cells: int, width: int, rows: int) -> None:
    """Of the cells of ``"ivfpq"``: which rows they name, and whether a block of codes is there for each."""
    import numpy as np  # noqa: PLC0415 - beside faiss

    found, in_block, size = 0, _word(content, place + WORD), _word(content, place + 2 * WORD)
    # FAISS stores codes of an even number of parts.
    sound = in_block == BLOCK and size == BLOCK * PART_BITS * (width + width % 2) // 8
    place += 3 * WORD
    for _ in range(cells if sound else 0):
        count = _word(content, place)
        place += WORD
        sound = count <= rows and place + WORD * count <= len(content)
        if not sound:
            break
        names = np.frombuffer(content, dtype="<i8", count=count, offset=place)
        place += WORD * count
        codes = _word(content, place)
        sound = codes == -(-count // BLOCK) * size and not (count and (names.min() < 0 or names.max() >= rows))
        if not sound:
            break
        found, place = found + count, place + WORD + codes
    if not sound or place > len(content):
        raise ValueError("its cells name rows that do not exist")
    if found != rows:
        raise ValueError(f"it holds codes of {found:,} rows; expected {rows:,}")


def check_index(index: Any, kind: Kind, width: int, rows: int) -> None:
    """Make sure that an index is what is said of it.

    Args:
        index: FAISS's, read from bytes of which `check_content` said nothing.
        kind: that it must be.
        width: of its rows.
        rows: that it must hold.

    Raises:
        ValueError: it is not.
    """
    faiss = require("faiss", "index", "an index")
    expected = {
        "flat": faiss.IndexFlat,
        "ivf": faiss.IndexIVFFlat,
        "ivfpq": faiss.IndexIVFPQFastScan,
        "hnsw": faiss.IndexHNSWFlat,
    }[kind]
    if not isinstance(index, expected) or index.metric_type != faiss.METRIC_L2:
        raise ValueError(f"it is a {type(index).__name__}; expected an index of kind {kind!r}")
    if (index.d, index.ntotal) != (width, rows):
        raise ValueError(f"it holds {index.ntotal:,} rows of {index.d}; expected {rows:,} of {width}")
    if not index.is_trained:
        raise ValueError("it is not trained")
    if kind in WITH_CELLS:
        centres, most = index.quantizer, max(VISITED, index.nlist)
        found = (centres.d, centres.ntotal) == (width, index.nlist) and centres.is_trained
        if not found or not 1 <= index.nprobe <= most:
            raise ValueError("a search of it finds no cell")
    if kind == "ivf":
        lists = index.invlists
        sizes = [lists.list_size(cell) for cell in range(index.nlist)]
        numbers = [faiss.rev_swig_ptr(lists.get_ids(cell), size) for cell, size in enumerate(sizes) if size]
        if sum(sizes) != rows or any(part.min() < 0 or part.max() >= rows for part in numbers):
            raise ValueError("its cells name rows that do not exist")
    if kind == "ivfpq":
        _check_fast_scan(index, width)
    if kind == "hnsw":
        _check_graph(index, rows)


def _check_fast_scan(index: Any, width: int) -> None:
    layout = {
        "M": width,
        "nbits": PART_BITS,
        "code_size": -(-width * PART_BITS // 8),
        "bbs": BLOCK,
        "M2": width + width % 2,
        "implem": 0,
        "qbs": 0,
        "qbs2": 0,
        "skip": 0,
        "by_residual": False,
    }
    for name, expected in layout.items():
        if getattr(index, name) != expected:
            raise ValueError(f"it says that its {name} is {getattr(index, name)}; expected {expected}")


def _check_graph(index: Any, rows: int) -> None:
    faiss = require("faiss", "index", "an index")
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


def _word(content: bytes, place: int) -> int:
    return int.from_bytes(content[place : place + WORD], "little")
