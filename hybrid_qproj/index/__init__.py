"""Angles on disk, and search over them: FAISS for candidates, exact fidelity for their order."""

from hybrid_qproj.index.exhaustive import Hits, exhaustive_search
from hybrid_qproj.index.search import AngleIndex
from hybrid_qproj.index.store import AngleStore, StoreError

__all__ = ["AngleIndex", "AngleStore", "Hits", "StoreError", "exhaustive_search"]
