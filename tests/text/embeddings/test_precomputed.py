"""Embeddings from an NPZ file, joined with texts by id."""

from __future__ import annotations

import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from hybrid_qproj.errors import DataError
from hybrid_qproj.text.embeddings.precomputed import read_precomputed

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


def save(path, **changed):
    np.savez(path, **{**ARRAYS, **changed})
    return path


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"docs": np.array([[2, 2], [9, np.nan], [1, 1]])},
            r"row 1 of docs \(id 'd9'\) holds numbers that are not fin",
        ),
        ({"queries": np.array([[1e300, 1.0]])}, r"row 0 of queries \(id 'q1'\)"),
        ({"docids": np.array(["d1", "d9", "d1"])}, "docids holds 'd1' in rows 0 and 2; an id has one embedding"),
        ({"docids": np.array([1.0, 2.0, 3.0])}, "docids is of type float64; expected ids: text or whole numbers"),
        ({"docs": np.array([["a"] * 2] * 3)}, "docs is of type <U1; expected embeddings: floating point"),
        ({"queries": np.ones((1, 3))}, "docs have 2 numbers, queries 3"),
        ({"docids": np.array([b"\xff", b"b", b"c"])}, "not UTF-8"),
    ],
)
def test_wrong_arrays(tmp_path, changed, message):
    """The message names file, array, row and id."""
    with pytest.raises(DataError, match=rf"e\.npz: .*{message}"):
        read_precomputed(save(tmp_path / "e.npz", **changed), DOCUMENTS, QUERIES)


def test_ids_that_are_bytes_or_numbers(tmp_path):
    """Bytes are UTF-8, numbers are their digits."""
    path = save(tmp_path / "e.npz", docids=np.array([b"d2", b"d9", b"d1"]), qids=np.array([7]))
    table = read_precomputed(path, DOCUMENTS, {"7": "which animal"})
    assert table.lookup(["a cat", "which animal"]).tolist() == [[1, 1], [5, 5]]


def test_documents_of_one_text(tmp_path):
    """Their embeddings may differ by rounding, not by more."""
    documents = {"d2": "a cat", "d1": "a cat"}
    near = np.array([[1, 1], [9, 9], [1.001, 1]])
    assert len(read_precomputed(save(tmp_path / "e.npz", docs=near), documents, QUERIES)) == 3
    with pytest.raises(DataError, match=r"rows 0 and 2 of docs \(ids 'd2' and 'd1'\) are other embeddings of the same"):
        read_precomputed(save(tmp_path / "e.npz"), documents, QUERIES)


def header(shape, kind="<f2"):
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (63 - (10 + len(text)) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def with_docs(path, content, method=zipfile.ZIP_STORED):
    """The file with other bytes for its array of documents."""
    save(path)
    with zipfile.ZipFile(path) as archive:
        rest = {name: archive.read(name) for name in archive.namelist() if name != "docs.npy"}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in rest.items():
            archive.writestr(name, data)
        archive.writestr("docs.npy", content, method)
    return path


def test_sizes_are_not_believed(tmp_path):
    """An array of 20 terabytes in a few bytes, one of negative size, and a bomb: refused before memory is taken."""
    for shape in ((3, 10**13), (-3, -2)):
        with pytest.raises(DataError, match=r"e\.npz.*(would take|negative)"):
            read_precomputed(with_docs(tmp_path / "e.npz", header(shape) + bytes(12)), DOCUMENTS, QUERIES)
    zeros = header((3, 20_000_000)) + bytes(120_000_000)
    with pytest.raises(DataError, match=r"docs would grow from [\d,]+ bytes to 120,000,000; save it without"):
        read_precomputed(with_docs(tmp_path / "e.npz", zeros, zipfile.ZIP_DEFLATED), DOCUMENTS, QUERIES)


def test_an_array_twice(tmp_path):
    """It is not said which one counts."""
    save(tmp_path / "e.npz")
    with zipfile.ZipFile(tmp_path / "e.npz", "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("docs.npy", archive.read("docs.npy"))
    with pytest.raises(DataError, match="holds the array 'docs' twice"):
        read_precomputed(tmp_path / "e.npz", DOCUMENTS, QUERIES)


@settings(max_examples=60)
@given(st.data())
def test_any_damage_gives_the_documented_error(tmp_path_factory, data):
    """Bytes that were changed or cut: a table that is whole, or a DataError with the file's name."""
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    (np.savez_compressed if data.draw(st.booleans()) else np.savez)(path, **ARRAYS)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]) if data.draw(st.booleans()) else content)
    try:
        table = read_precomputed(path, DOCUMENTS, QUERIES)
    except DataError as error:
        assert "damaged.npz" in str(error)  # noqa: PT017 - or none is raised
    else:
        assert table.lookup(["a cat"]).isfinite().all()
