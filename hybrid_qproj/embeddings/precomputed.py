"""Embeddings that were computed elsewhere, as arrays with the ids of their texts."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hybrid_qproj.embeddings.fingerprint import text_digests
from hybrid_qproj.embeddings.table import EmbeddingTable
from hybrid_qproj.retrieval.documents import DataError

_ARRAYS = (("docids", "docs"), ("qids", "queries"))


def read_precomputed(path: Path, documents: Mapping[str, str], queries: Mapping[str, str]) -> EmbeddingTable:
    """Read embeddings and join them with their texts by id.

    Args:
        path: an NPZ file with the arrays docids (n,), docs (n, d), qids (m,) and queries (m, d).
        documents: document id -> text; ids without embedding are left out, embeddings without text too.
        queries: query id -> text, likewise.

    Returns:
        the table.

    Raises:
        DataError: the file cannot be read, lacks an array, or none of its ids is known.
    """
    digests, parts = [], []
    try:
        with np.load(path, allow_pickle=False) as archive:
            if missing := {name for pair in _ARRAYS for name in pair} - set(archive.files):
                raise DataError(f"{path} lacks the arrays {sorted(missing)}; it has {sorted(archive.files)}")
            for (ids_name, rows_name), texts in zip(_ARRAYS, (documents, queries), strict=True):
                ids, rows = archive[ids_name], archive[rows_name]
                if ids.ndim != 1 or rows.ndim != 2 or len(ids) != len(rows):  # noqa: PLR2004 - a matrix
                    raise DataError(
                        f"{path}: {ids_name} {ids.shape} and {rows_name} {rows.shape}; expected (n,), (n, d)"
                    )
                names = [str(name) for name in ids]
                known = np.array([name in texts for name in names], dtype=bool)
                digests.append(text_digests([texts[name] for name in names if name in texts]))
                parts.append(rows[known])
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read as NPZ: {error}") from error
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is damaged or holds Python objects: {error}") from error
    if not sum(map(len, parts)):
        raise DataError(
            f"{path} holds no embedding of any of the {len(documents)} documents and {len(queries)} queries"
        )
    return EmbeddingTable(np.concatenate(digests), parts)
