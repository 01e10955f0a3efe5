"""What FAISS's bytes say is not believed."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("faiss", reason="needs the extra 'index'")

import faiss

from hybrid_qproj.index.faiss_bytes import check_cells, from_bytes, to_bytes
from hybrid_qproj.index.first_stage import KINDS

ROWS = np.random.default_rng(0).random((300, 8)).astype(np.float32)


def built(kind):
    index = {
        "flat": lambda: faiss.IndexFlatL2(8),
        "ivf": lambda: faiss.IndexIVFFlat(faiss.IndexFlatL2(8), 8, 4),
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


@pytest.mark.parametrize("place", range(37, 45))
def test_cells_are_counted_before_memory_is_taken(place):
    """FAISS takes memory for as many cells as its file says."""
    content = bytearray(to_bytes(built("ivf")))
    check_cells(bytes(content), 8, 300)
    content[place] ^= 0x80
    with pytest.raises(ValueError, match="cells for 300 rows"):
        check_cells(bytes(content), 8, 300)
