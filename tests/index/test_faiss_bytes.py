"""What FAISS's bytes say is not believed."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("faiss", reason="needs the extra 'index'")

import faiss

from hybrid_qproj.index.faiss_bytes import from_bytes, to_bytes
from hybrid_qproj.index.faiss_checks import check_content
from hybrid_qproj.index.first_stage import KINDS

ROWS = np.random.default_rng(0).random((300, 8)).astype(np.float32)


def built(kind):
    index = {
        "flat": lambda: faiss.IndexFlatL2(8),
        "ivf": lambda: faiss.IndexIVFFlat(faiss.IndexFlatL2(8), 8, 4),
        "ivfpq": lambda: faiss.IndexIVFPQFastScan(faiss.IndexFlatL2(8), 8, 4, 8, 4),
        "hnsw": lambda: faiss.IndexHNSWFlat(8, 8),
    }[kind]()
    index.train(ROWS)
    index.add(ROWS)
    return index


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_and_back(kind):
    """The same index, with FAISS's own limit as it was; as another kind, width or number of rows it is refused."""
    index = built(kind)
    limit = faiss.get_deserialization_vector_byte_limit()
    content = to_bytes(index)
    again = from_bytes(content, kind, 8, 300)
    for mine, theirs in zip(again.search(ROWS[:5], 4), index.search(ROWS[:5], 4), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    wrong = [(other, 8, 300) for other in KINDS if other != kind] + [(kind, 7, 300), (kind, 8, 301)]
    for kind_of, width, rows in wrong:
        with pytest.raises(ValueError, match=r"^it (is|holds|says)"):
            from_bytes(content, kind_of, width, rows)
    with pytest.raises((ValueError, RuntimeError)):
        from_bytes(content[:-9], kind, 8, 300)
    assert faiss.get_deserialization_vector_byte_limit() == limit


@pytest.mark.parametrize("kind", ["ivf", "ivfpq"])
@pytest.mark.parametrize("place", range(37, 45))
def test_cells_are_counted_before_memory_is_taken(kind, place):
    """FAISS takes memory for as many cells as its file says."""
    content = bytearray(to_bytes(built(kind)))
    check_content(bytes(content), kind, 8, 300)
    content[place] ^= 0x80
    with pytest.raises(ValueError, match="cells for 300 rows"):
        check_content(bytes(content), kind, 8, 300)


def test_cells_of_codes():
    """What stands before codes is read here first: FAISS would take it at its word."""
    content = to_bytes(built("ivfpq"))
    place = content.find(b"ilbl")
    for where, value, message in [
        (place - 4 * 128 - 32, 16, "other centres than 16 for each of 8 numbers"),
        (place - 4 * 128 - 16, 8, "other centres"),
        (place + 20, 16, "rows that do not exist"),
        (place + 28, 1 << 40, "rows that do not exist"),
        (place + 36, 2**62, "rows that do not exist"),
        (place + 44, 300, "rows that do not exist"),
        (45, 2**62, "finds no cell"),
        (45, 0, "finds no cell"),
    ]:
        edited = content[:where] + np.int64(value).tobytes() + content[where + 8 :]
        with pytest.raises(ValueError, match=message):
            from_bytes(edited, "ivfpq", 8, 300)
