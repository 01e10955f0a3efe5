"""A miniature MS MARCO in the files that ir_datasets keeps: invented passages, real formats."""

from __future__ import annotations

import gzip
from itertools import product
from pathlib import Path

SUBJECTS = ["cat", "quantum", "state", "mat"]
VERBS = ["sat on", "on", "sat"]
OBJECTS = ["the cat", "a mat", "the state", "a quantum"]


def write_msmarco(home: Path) -> Path:
    """48 passages, 12 training queries with hard negatives, and two years of 3 judged queries each."""
    folder = home / "msmarco-passage"
    for name in ("train", "trec-dl-2019", "trec-dl-2020"):
        (folder / name).mkdir(parents=True)
    (folder / "irds_version.txt").write_text("v2")
    passages = [f"the {s} {v} {o}" for s, v, o in product(SUBJECTS, VERBS, OBJECTS)]
    (folder / "collection.tsv").write_text("".join(f"{i}\t{text}\n" for i, text in enumerate(passages)))
    queries = [f"{s} {o}" for s, o in product(SUBJECTS, OBJECTS)][:12]
    (folder / "train" / "queries.tsv").write_text("".join(f"{100 + q}\t{text}\n" for q, text in enumerate(queries)))
    (folder / "train" / "qrels").write_text("".join(f"{100 + q}\t0\t{4 * q}\t1\n" for q in range(12)))
    triples = [f"{100 + q}\t{4 * q}\t{(4 * q + 5 + 3 * n) % 48}\n" for n in range(6) for q in range(12)]
    (folder / "train" / "small.triples.qidpid.tsv").write_text("".join(triples))
    for year, first in ((2019, 200), (2020, 300)):
        topics = "".join(f"{first + q}\twhat {s} {o}\n" for q, (s, o) in enumerate(zip(SUBJECTS, OBJECTS, strict=True)))
        # The last query has no judgements, as most of TREC's.
        judged = [f"{first + q} Q0 {(7 * q + 3 * n) % 48} {n % 4}\n" for q in range(3) for n in range(8)]
        target = folder / f"trec-dl-{year}"
        (target / "qrels").write_text("".join(judged))
        if year == 2019:
            (target / "queries.tsv").write_text(topics)
        else:
            (target / "queries.tsv.gz").write_bytes(gzip.compress(topics.encode()))
    return home
