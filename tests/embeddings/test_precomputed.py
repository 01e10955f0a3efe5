"""Embeddings from an NPZ file, joined with texts by id."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from hybrid_qproj.embeddings.precomputed import read_precomputed
from hybrid_qproj.retrieval.documents import DataError

DOCUMENTS = {"d1": "a cat", "d2": "a dog"}
QUERIES = {"q1": "which animal"}
ARRAYS = {
    "docids": np.array(["d2", "d9", "d1"]),
    "docs": np.array([[2, 2], [9, 9], [1, 1]], dtype=np.float16),
    "qids": np.array(["q1"]),
    "queries": np.array([[5, 5]], dtype=np.float16),
}


@pytest.fixture
def path(tmp_path):
    np.savez(tmp_path / "e.npz", **ARRAYS)
    return tmp_path / "e.npz"


def test_joined_by_id(path):
    """Rows go to the texts of their ids; ids without text are left out."""
    table = read_precomputed(path, DOCUMENTS, QUERIES)
    assert len(table) == 3
    assert table.lookup(["a cat", "a dog", "which animal"]).tolist() == [[1, 1], [2, 2], [5, 5]]


def test_nothing_in_common(path):
    """Ids of another collection."""
    with pytest.raises(DataError, match="no embedding of any of the 1 documents and 0 queries"):
        read_precomputed(path, {"x": "text"}, {})


def test_damaged_files(tmp_path):
    """Missing, no NPZ, an array too few, shapes that differ, Python objects."""
    with pytest.raises(DataError, match="cannot be read as NPZ"):
        read_precomputed(tmp_path / "none.npz", DOCUMENTS, QUERIES)
    (tmp_path / "e.npz").write_bytes(b"no archive")
    with pytest.raises(DataError, match=r"e\.npz"):
        read_precomputed(tmp_path / "e.npz", DOCUMENTS, QUERIES)
    np.savez(tmp_path / "few.npz", docids=ARRAYS["docids"], docs=ARRAYS["docs"])
    with pytest.raises(DataError, match=r"lacks the arrays \['qids', 'queries'\]"):
        read_precomputed(tmp_path / "few.npz", DOCUMENTS, QUERIES)
    np.savez(tmp_path / "shape.npz", **{**ARRAYS, "docs": ARRAYS["docs"][:2]})
    with pytest.raises(DataError, match=r"docids \(3,\) and docs \(2, 2\)"):
        read_precomputed(tmp_path / "shape.npz", DOCUMENTS, QUERIES)
    np.savez(tmp_path / "object.npz", **{**ARRAYS, "docids": np.array(["d1", 2, None], dtype=object)})
    with pytest.raises(DataError, match="holds Python objects"):
        read_precomputed(tmp_path / "object.npz", DOCUMENTS, QUERIES)
