"""SQLite with sqlite-vec, codes: nearest by Hamming distance, then by fidelity: python -m examples.stores.sqlite_codes.

The first stage compares a bit an angle, the codec's `signs`; the second what a code of 32 bytes stands for. Bits tell
less than angles, so the first stage finds more candidates.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from examples.stores.corpus import ANGLES, CANDIDATES, Answer, Corpus, Example, rerank, show
from examples.stores.sqlite import connect
from hybrid_qproj.codec import Codec

SIGNS, CODES = "signs.safetensors", "codes.safetensors"
CODE_BYTES = 32


def write(folder: Path, corpus: Corpus) -> None:
    """Write ids, signs and codes, and beside them the codecs, which queries need."""
    width = corpus.angles.shape[1]
    signs, codes = Codec.fit(corpus.angles, width // 8, "signs"), Codec.fit(corpus.angles, CODE_BYTES)
    signs.save_file(folder / SIGNS)
    codes.save_file(folder / CODES)
    database = connect(folder)
    # Bits are compared by Hamming distance, whatever is asked for. "+": a column that is kept, not searched.
    database.execute(f"CREATE VIRTUAL TABLE passages USING vec0(id TEXT PRIMARY KEY, signs BIT[{width}], +code BLOB)")
    blobs = ([row.tobytes() for row in codec.encode(corpus.angles).numpy()] for codec in (signs, codes))
    with database:
        database.executemany("INSERT INTO passages VALUES (?, vec_bit(?), ?)", zip(corpus.ids, *blobs, strict=True))
    database.close()


def search(folder: Path, queries: Tensor, k: int, candidates: int) -> Answer:
    """The k most faithful of the candidates whose signs differ least."""
    signs, codes = Codec.load_file(folder / SIGNS), Codec.load_file(folder / CODES)
    database = connect(folder)
    nearest = "SELECT id, code FROM passages WHERE signs MATCH vec_bit(?) AND k = ? ORDER BY distance"
    found = [list(database.execute(nearest, (row.tobytes(), candidates))) for row in signs.encode(queries).numpy()]
    database.close()
    ids = [[id_ for id_, _ in answer] for answer in found]
    kept = np.stack([[np.frombuffer(blob, np.uint8) for _, blob in answer] for answer in found])
    angles = codes.decode(torch.from_numpy(kept).flatten(0, 1)).unflatten(0, kept.shape[:2])
    return Answer(ids, rerank(queries, ids, angles, k))


EXAMPLE = Example(
    "SQLite",
    "sqlite-vec",
    f"{ANGLES} bits and a code of {CODE_BYTES} bytes",
    ANGLES // 8 + CODE_BYTES,
    write,
    search,
    10 * CANDIDATES,
    "Hamming",
)

if __name__ == "__main__":
    show(EXAMPLE)
