"""Embeddings that were computed elsewhere, as arrays with the ids of their texts."""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from hybrid_qproj.errors import DataError
from hybrid_qproj.text.embeddings.fingerprint import text_keys
from hybrid_qproj.text.embeddings.table import EmbeddingTable
from hybrid_qproj.text.sides import Side

_ARRAYS: tuple[tuple[str, str, Side], ...] = (("docids", "docs", "document"), ("qids", "queries", "query"))
MOST_EXPANSION = 50
"""Times that an array may be larger than it is in the file, beyond `FREE_BYTES`; embeddings hardly compress."""
FREE_BYTES = 64 << 20
"""Bytes an array may have however well it compresses."""
ROUNDING = 1e-2
"""Relative difference of two embeddings of one text, in half precision and from batches of other lengths."""
ROWS_CHECKED = 1 << 16
"""Rows looked at for numbers that are none at once."""


def read_precomputed(path: Path, documents: Mapping[str, str], queries: Mapping[str, str]) -> EmbeddingTable:
    """Read embeddings and join them with their texts by id.

    Args:
        path: an NPZ file with the arrays docids (n,), docs (n, d), qids (m,) and queries (m, d).
        documents: document id -> text; ids without embedding are left out, embeddings without text too.
        queries: query id -> text, likewise.

    Returns:
        the table. A text that is a document and a query has two embeddings.

    Raises:
        DataError: the file cannot be read, lacks an array, an array does not have the size or type that it should, an
            id is there twice, a row holds a number that is not finite, two embeddings of one text differ, or none of
            its ids is known.
    """
    tables = []
    try:
        with zipfile.ZipFile(path) as archive:
            shapes = _forms(path, archive)
            for (ids_name, rows_name, side), texts in zip(_ARRAYS, (documents, queries), strict=True):
                ids = _names(path, ids_name, _array(path, archive, ids_name, shapes))
                rows = _array(path, archive, rows_name, shapes)
                tables.append(_joined(path, rows_name, ids, rows, texts, side))
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read as NPZ: {error}") from error
    except MemoryError as error:
        raise DataError(f"{path} needs more memory than there is: {error}; leave out what is not needed") from error
    except (ValueError, EOFError, zlib.error, struct.error, RuntimeError) as error:
        # RuntimeError: encrypted, or compressed in a way that Python does not know.
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is damaged or holds Python objects: {error}") from error
    if not sum(map(len, tables)):
        raise DataError(
            f"{path} holds no embedding of any of the {len(documents)} documents and {len(queries)} queries"
        )
    return EmbeddingTable.merge(tables)


def _forms(path: Path, archive: zipfile.ZipFile) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shapes and types of all arrays, before any is read."""
    names = [name.removesuffix(".npy") for name in archive.namelist()]
    wanted = [name for ids, rows, _ in _ARRAYS for name in (ids, rows)]
    if missing := set(wanted) - set(names):
        raise DataError(f"{path} lacks the arrays {sorted(missing)}; it has {sorted(names)}")
    if twice := [name for name in wanted if names.count(name) > 1]:
        raise DataError(f"{path} holds the array {twice[0]!r} twice")
    forms = {name: _header(path, archive, name) for name in wanted}
    for ids_name, rows_name, _ in _ARRAYS:
        ids, rows = forms[ids_name][0], forms[rows_name][0]
        if len(ids) != 1 or len(rows) != 2 or ids[0] != rows[0]:  # noqa: PLR2004 - a matrix
            raise DataError(f"{path}: {ids_name} {ids} and {rows_name} {rows}; expected (n,), (n, d)")
    widths = [forms[name][0][1] for name in ("docs", "queries")]
    if widths[0] != widths[1]:
        raise DataError(f"{path}: docs have {widths[0]} numbers, queries {widths[1]}; expected the same encoder's")
    return forms


def _header(path: Path, archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of an array, once its size is known to be what the file says."""
    member = archive.getinfo(f"{name}.npy") if f"{name}.npy" in archive.namelist() else archive.getinfo(name)
    with archive.open(member) as file:
        shape, _, dtype = _read_header(file)
        begin = file.tell()
    if dtype.hasobject:
        raise DataError(f"{path}: {name} holds Python objects, which are never read; save it as text or numbers")
    expected = "iuUS" if len(shape) == 1 else "f"
    if dtype.kind not in expected:
        what = "ids: text or whole numbers" if len(shape) == 1 else "embeddings: floating point"
        raise DataError(f"{path}: {name} is of type {dtype}; expected {what}")
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or begin + size != member.file_size:
        raise DataError(
            f"{path}: {name} {shape} of {dtype} would take {size:,} bytes, but {member.file_size - begin:,} are there"
        )
    if size > max(FREE_BYTES, MOST_EXPANSION * member.compress_size):
        raise DataError(
            f"{path}: {name} would grow from {member.compress_size:,} bytes to {size:,}; save it without compression"
        )
    return shape, dtype


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(file)
    raise ValueError(f"an array in version {version} of the NPY format; expected 1.0 or 2.0")


def _array(
    path: Path, archive: zipfile.ZipFile, name: str, shapes: Mapping[str, tuple[tuple[int, ...], np.dtype]]
) -> np.ndarray:
    member = f"{name}.npy" if f"{name}.npy" in archive.namelist() else name
    with archive.open(member) as file:
        array: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
    # Read again: an archive can hold what its directory does not say.
    if (array.shape, array.dtype) != shapes[name]:
        raise DataError(f"{path}: {name} is {array.shape} {array.dtype}, its header said {shapes[name]}")
    return array


def _names(path: Path, name: str, ids: np.ndarray) -> list[str]:
    try:
        names = [item.decode() if isinstance(item, bytes) else str(item) for item in ids.tolist()]
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: {name} holds bytes that are not UTF-8: {error}") from error
    if len(set(names)) < len(names):
        first: dict[str, int] = {}
        for row, item in enumerate(names):
            if first.setdefault(item, row) != row:
                raise DataError(
                    f"{path}: {name} holds {item!r} in rows {first[item]} and {row}; an id has one embedding"
                )
    return names


def _alike(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two embeddings differ by rounding only."""
    scale = max(float(np.linalg.norm(a.astype(np.float64))), float(np.linalg.norm(b.astype(np.float64))))
    return float(np.linalg.norm(a.astype(np.float64) - b.astype(np.float64))) <= ROUNDING * scale


def _joined(
    path: Path, name: str, ids: list[str], rows: np.ndarray, texts: Mapping[str, str], side: Side
) -> EmbeddingTable:
    """Rows whose ids have texts, as a table."""
    for start in range(0, len(rows), ROWS_CHECKED):
        # As they will be looked up: what single precision cannot hold is infinite there.
        with np.errstate(over="ignore"):
            wrong = ~np.isfinite(rows[start : start + ROWS_CHECKED].astype(np.float32)).all(axis=1)
        if wrong.any():
            row = start + int(wrong.argmax())
            raise DataError(f"{path}: row {row} of {name} (id {ids[row]!r}) holds numbers that are not finite")
    known = np.array([item in texts for item in ids], dtype=bool)
    kept = [texts[item] for item in ids if item in texts]
    chosen = rows[known]
    first: dict[str, int] = {}
    for place, text in enumerate(kept):
        other = first.setdefault(text, place)
        if other != place and not _alike(chosen[other], chosen[place]):
            a, b = (np.flatnonzero(known)[number] for number in (other, place))
            raise DataError(
                f"{path}: rows {a} and {b} of {name} (ids {ids[a]!r} and {ids[b]!r}) are other embeddings of the same "
                "text; keep one"
            )
    return EmbeddingTable(text_keys(kept), [chosen], side)
