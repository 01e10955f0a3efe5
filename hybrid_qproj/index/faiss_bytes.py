"""FAISS's index as bytes, which nobody vouches for when they are read."""

from __future__ import annotations

import threading
from typing import Any

from hybrid_qproj._util.extras import require
from hybrid_qproj.index.faiss_checks import check_content, check_index
from hybrid_qproj.index.first_stage import Kind

_READING = threading.Lock()


def to_bytes(index: Any) -> bytes:
    """FAISS's own format of an index."""
    content: bytes = require("faiss", "index", "an index").serialize_index(index).tobytes()
    return content


def from_bytes(content: bytes, kind: Kind, width: int, rows: int) -> Any:
    """Read an index.

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
    check_content(content, kind, width, rows)
    index = _deserialize(content)
    check_index(index, kind, width, rows)
    return index


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
