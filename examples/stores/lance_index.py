"""LanceDB with an approximate index, then by fidelity: python -m examples.stores.lance_index.

The index orders candidates by codes of its own; the angles stay in the table, and the second stage reads them. Its
default, IVF_PQ, makes a byte of sixteen angles, and four times as many candidates are too few for that: give it more
bytes (`num_sub_vectors`), or take HNSW over a byte an angle. Both are fitted from a random start, so figures vary.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import lancedb
import pyarrow as pa
from lancedb.index import HnswSq, IvfPq

from examples.stores import lance
from examples.stores.corpus import ANGLES, Corpus, Example, show

RUNS = 10


def write(folder: Path, corpus: Corpus, index: IvfPq | HnswSq) -> None:
    """Write ids and angles, and index them."""
    lance.write(folder, corpus, pa.float32())
    lancedb.connect(folder).open_table(lance.NAME).create_index("angles", config=index)


def example(name: str, size: int, index: IvfPq | HnswSq) -> Example:
    """An index, whose codes are of so many bytes."""
    return Example(
        f"LanceDB, {name}",
        "lancedb",
        f"{ANGLES} float32, {size} bytes in the index",
        4 * ANGLES + size,
        partial(write, index=index),
        lance.search,
        runs=RUNS,
    )


EXAMPLES = [
    example("IVF_PQ as it comes", ANGLES // 16, IvfPq(distance_type="l2")),
    example("IVF_PQ", ANGLES // 4, IvfPq(distance_type="l2", num_sub_vectors=ANGLES // 4)),
    example("HNSW_SQ", ANGLES, HnswSq(distance_type="l2")),
]

if __name__ == "__main__":
    show(*EXAMPLES)
