"""Where a table of a configuration says that a collection is: a dataset, judged passages, or loose files."""

from __future__ import annotations

from hybrid_qproj.experiments.config import DataConfig
from hybrid_qproj.retrieval.collection import Collection, load_collection, read_collection, read_judged


def read_source(source: DataConfig) -> Collection:
    """Read a collection from where a configuration says.

    Args:
        source: where.

    Returns:
        the collection.

    Raises:
        DataError: a file is malformed, or nothing is left of it.
    """
    if source.dataset is not None:
        return load_collection(source.dataset, source.split, source.grades)
    if source.judged is not None:
        return read_judged(source.judged, source.grades, source.local_ids)
    assert source.documents is not None
    return read_collection(source.documents, source.queries, source.qrels, source.grades)
