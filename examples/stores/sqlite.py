"""SQLite with sqlite-vec: nearest by L2, then by fidelity: python -m examples.stores.sqlite.

By APSW, which brings an SQLite that loads extensions. Python's own sqlite3 serves as well where it was built to load
them (`sqlite3.Connection` has `enable_load_extension`); many builds were not.
"""

from __future__ import annotations

from pathlib import Path

import apsw
import numpy as np
import sqlite_vec
import torch
from torch import Tensor

from examples.stores.corpus import ANGLES, Answer, Corpus, Example, rerank, show

FILE = "passages.db"


def connect(folder: Path) -> apsw.Connection:
    """The database of a folder, with the extension."""
    database = apsw.Connection(str(folder / FILE))
    database.enable_load_extension(True)
    database.load_extension(sqlite_vec.loadable_path())
    database.enable_load_extension(False)
    return database


def write(folder: Path, corpus: Corpus) -> None:
    """Write ids and angles."""
    database = connect(folder)
    database.execute(
        f"CREATE VIRTUAL TABLE passages USING vec0("
        f"id TEXT PRIMARY KEY, angles FLOAT[{corpus.angles.shape[1]}] distance_metric=L2)"
    )
    blobs = (row.tobytes() for row in corpus.angles.numpy())
    # In one transaction.
    with database:
        database.executemany("INSERT INTO passages (id, angles) VALUES (?, ?)", zip(corpus.ids, blobs, strict=True))
    database.close()


def search(folder: Path, queries: Tensor, k: int, candidates: int) -> Answer:
    """The k most faithful of the nearest candidates."""
    database = connect(folder)
    nearest = "SELECT id, angles FROM passages WHERE angles MATCH ? AND k = ? ORDER BY distance"
    found = [list(database.execute(nearest, (query.tobytes(), candidates))) for query in queries.numpy()]
    database.close()
    ids = [[id_ for id_, _ in answer] for answer in found]
    angles = np.stack([[np.frombuffer(blob, np.float32) for _, blob in answer] for answer in found])
    return Answer(ids, rerank(queries, ids, torch.from_numpy(angles), k))


EXAMPLE = Example("SQLite", "sqlite-vec", f"{ANGLES} float32", 4 * ANGLES, write, search)

if __name__ == "__main__":
    show(EXAMPLE)
