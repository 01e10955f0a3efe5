"""Writes the training data that arXiv:2501.04591 published as triples, which examples/paper/as-published reads.

    python examples/paper/triples.py datasets/MSMARCO .cache/qiepsm.jsonl

The first folder is of the data to which the README of the publication's code (ivpb/qiepsm) leads.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

PASSAGES = "msmarco.sbert.train.full.corpus.json"
"""Id -> text."""
QUERIES = "msmarco.sbert.train.full.json"
"""Id -> "query", a text; "pos" and "hard_neg", ids of passages."""


def write_triples(folder: Path, out: Path) -> tuple[int, int]:
    """Write a line for each query, with its first positive, as in the published code, and all its hard negatives.

    Args:
        folder: of the two files.
        out: JSONL.

    Returns:
        queries that were written, and those left out because a passage both answers them and does not.
    """
    passages, queries = (json.loads((folder / name).read_text(encoding="utf-8")) for name in (PASSAGES, QUERIES))
    written = 0
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(out.name + ".part")
    try:
        with part.open("w", encoding="utf-8") as file:
            for query in queries.values():
                positive, *negatives = (passages[name] for name in (query["pos"][0], *query["hard_neg"]))
                if positive not in negatives:
                    line = {"query": query["query"], "positive": positive, "negatives": negatives}
                    file.write(json.dumps(line) + "\n")
                    written += 1
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return written, len(queries) - written


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} FOLDER OUT.jsonl")
    try:
        written, left_out = write_triples(Path(sys.argv[1]), Path(sys.argv[2]))
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        sys.exit(f"{sys.argv[1]} does not hold {PASSAGES} and {QUERIES} of the publication: {error!r}")
    print(f"{written:,} queries; {left_out:,} left out: one passage both answers them and does not")
