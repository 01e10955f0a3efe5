"""The command index: an index of a store of angles."""

from __future__ import annotations

from pathlib import Path

from hybrid_qproj.index.search import CANDIDATES, AngleIndex, Kind


def run_index(folder: Path, kind: Kind = "flat", candidates: int = CANDIDATES) -> AngleIndex:
    """Build and save the index of a store.

    Args:
        folder: the store's.
        kind: flat, ivf, ivfpq or hnsw.
        candidates: documents of the first stage for each that is wanted.

    Returns:
        the index.

    Raises:
        StoreError: there is no store, or an unknown kind.
        LockedError: somebody else is building its index.
        OutputError: a file cannot be written; an older index is unchanged.
    """
    return AngleIndex.build(folder, kind, candidates)
