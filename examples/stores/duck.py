"""DuckDB: nearest by L2, then by fidelity, both in SQL: python -m examples.stores.duck.

`array_distance` compares with every passage and needs no extension.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
from torch import Tensor

from examples.stores.corpus import ANGLES, Answer, Corpus, Example, show

FILE = "passages.duckdb"
# Orthogonal qubits have no logarithm: 1e-9, as in hybrid_qproj.log_fidelity.
MACRO = """
CREATE MACRO log_fidelity(a, b) AS list_sum(list_transform(
    list_zip(a::DOUBLE[], b::DOUBLE[]),
    lambda pair: 2 * ln(greatest(cos((pair[1] - pair[2]) / 2), 1e-9))
))
"""


def write(folder: Path, corpus: Corpus) -> None:
    """Write ids and angles in one statement, which is much faster than a row at a time."""
    angles = pa.FixedSizeListArray.from_arrays(corpus.angles.numpy().ravel(), corpus.angles.shape[1])
    with duckdb.connect(str(folder / FILE)) as database:
        database.register("rows", pa.table({"id": corpus.ids, "angles": angles}))
        database.execute("CREATE TABLE passages AS SELECT * FROM rows")
        # Kept in the file, as the table is.
        database.execute(MACRO)


def search(folder: Path, queries: Tensor, k: int, candidates: int) -> Answer:
    """The k most faithful of the nearest candidates."""
    # Vectors are compared with vectors of their width, and lists have none.
    query = f"$query::FLOAT[{queries.shape[1]}]"
    near = f"SELECT id, angles FROM passages ORDER BY array_distance(angles, {query}) LIMIT $candidates"  # noqa: S608 - a number
    best = f"SELECT id FROM ({near}) ORDER BY log_fidelity(angles, {query}) DESC LIMIT $k"  # noqa: S608 - the same
    first, second = [], []
    with duckdb.connect(str(folder / FILE), read_only=True) as database:
        for angles in queries.tolist():
            given = {"query": angles, "candidates": candidates}
            first.append([id_ for id_, _ in database.execute(near, given).fetchall()])
            second.append([id_ for (id_,) in database.execute(best, {**given, "k": k}).fetchall()])
    return Answer(first, second)


EXAMPLE = Example("DuckDB", "duckdb", f"{ANGLES} float32", 4 * ANGLES, write, search)

if __name__ == "__main__":
    show(EXAMPLE)
