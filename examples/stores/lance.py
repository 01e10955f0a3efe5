"""LanceDB: nearest by L2 in float32 or float16, then by fidelity: python -m examples.stores.lance.

Without an index it compares with every passage; `lance_index` beside this file has one.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from examples.stores.corpus import ANGLES, Answer, Corpus, Example, rerank, show

NAME = "passages"


def write(folder: Path, corpus: Corpus, number: pa.DataType) -> None:
    """Write ids and angles, a vector of numbers of a type."""
    numbers = pa.array(corpus.angles.numpy().ravel(), pa.float32()).cast(number)
    vectors = pa.FixedSizeListArray.from_arrays(numbers, corpus.angles.shape[1])
    lancedb.connect(folder).create_table(NAME, pa.table({"id": corpus.ids, "angles": vectors}))


def search(folder: Path, queries: Tensor, k: int, candidates: int) -> Answer:
    """The k most faithful of the nearest candidates."""
    table = lancedb.connect(folder).open_table(NAME)
    # "l2" is the default too; its `_distance` is the square.
    found = [
        table.search(query, vector_column_name="angles").distance_type("l2").limit(candidates).to_arrow()
        for query in queries.numpy()
    ]
    ids = [answer["id"].to_pylist() for answer in found]
    angles = np.stack([np.stack(answer["angles"].to_numpy()) for answer in found])
    return Answer(ids, rerank(queries, ids, torch.from_numpy(angles).float(), k))


EXAMPLES = [
    Example("LanceDB", "lancedb", f"{ANGLES} float32", 4 * ANGLES, partial(write, number=pa.float32()), search),
    Example("LanceDB", "lancedb", f"{ANGLES} float16", 2 * ANGLES, partial(write, number=pa.float16()), search),
]

if __name__ == "__main__":
    show(*EXAMPLES)
