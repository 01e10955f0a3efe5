"""SQLite with sqlite-vec, a byte an angle: nearest by L2, then by fidelity: python -m examples.stores.sqlite_int8.

All angles are rounded by one step, so that L2 distances keep their order but for rounding. The step is the least by
which the passages fit; it is kept beside them.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from examples.stores.corpus import ANGLES, Answer, Corpus, Example, rerank, show
from examples.stores.sqlite import connect

LARGEST = 127
MIDDLE = math.pi / 2
"""The angle of an embedding of zeros, about which the others lie."""


def to_int8(angles: Tensor, step: float) -> list[bytes]:
    """Angles as bytes, (n, k) of them; what lies beyond the passages is moved to their border."""
    steps = ((angles - MIDDLE) / step).round().clamp(-LARGEST, LARGEST)
    return [row.tobytes() for row in steps.to(torch.int8).numpy()]


def write(folder: Path, corpus: Corpus) -> None:
    """Write ids and rounded angles."""
    step = float((corpus.angles - MIDDLE).abs().max()) / LARGEST
    database = connect(folder)
    database.execute(
        f"CREATE VIRTUAL TABLE passages USING vec0("
        f"id TEXT PRIMARY KEY, angles INT8[{corpus.angles.shape[1]}] distance_metric=L2)"
    )
    rows = zip(corpus.ids, to_int8(corpus.angles, step), strict=True)
    with database:
        database.execute("CREATE TABLE rounding (step REAL)")
        database.execute("INSERT INTO rounding VALUES (?)", (step,))
        # vec_int8: a blob alone would be read as float32.
        database.executemany("INSERT INTO passages (id, angles) VALUES (?, vec_int8(?))", rows)
    database.close()


def search(folder: Path, queries: Tensor, k: int, candidates: int) -> Answer:
    """The k most faithful of the nearest candidates; queries are rounded for the first stage only."""
    database = connect(folder)
    ((step,),) = database.execute("SELECT step FROM rounding")
    nearest = "SELECT id, angles FROM passages WHERE angles MATCH vec_int8(?) AND k = ? ORDER BY distance"
    found = [list(database.execute(nearest, (query, candidates))) for query in to_int8(queries, step)]
    database.close()
    ids = [[id_ for id_, _ in answer] for answer in found]
    steps = np.stack([[np.frombuffer(blob, np.int8) for _, blob in answer] for answer in found])
    return Answer(ids, rerank(queries, ids, MIDDLE + step * torch.from_numpy(steps), k))


EXAMPLE = Example("SQLite", "sqlite-vec", f"{ANGLES} int8", ANGLES, write, search)

if __name__ == "__main__":
    show(EXAMPLE)
