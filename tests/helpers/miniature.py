"""A miniature MS MARCO in the files that ir_datasets keeps: invented passages, real formats."""

from __future__ import annotations

import gzip
import json
from itertools import product
from pathlib import Path

SUBJECTS = ["cat", "quantum", "state", "mat"]
VERBS = ["sat on", "on", "sat"]
OBJECTS = ["the cat", "a mat", "the state", "a quantum"]
PASSAGES = [f"the {s} {v} {o}" for s, v, o in product(SUBJECTS, VERBS, OBJECTS)]
TRAINING = [f"{s} {o}" for s, o in product(SUBJECTS, OBJECTS)][:12]
"""Queries, of which passage 4 q answers the one of number q."""
NEGATIVES = [[(4 * q + 5 + 3 * n) % 48 for n in range((4, 5, 5, 6)[q % 4])] for q in range(12)]
"""Hard negatives of each: half of the queries have five, the others four or six."""


def write_msmarco(home: Path) -> Path:
    """48 passages, 12 training queries with hard negatives, and two years of 3 judged queries each."""
    folder = home / "msmarco-passage"
    for name in ("train", "trec-dl-2019", "trec-dl-2020"):
        (folder / name).mkdir(parents=True)
    (folder / "irds_version.txt").write_text("v2")
    (folder / "collection.tsv").write_text("".join(f"{i}\t{text}\n" for i, text in enumerate(PASSAGES)))
    (folder / "train" / "queries.tsv").write_text("".join(f"{100 + q}\t{text}\n" for q, text in enumerate(TRAINING)))
    (folder / "train" / "qrels").write_text("".join(f"{100 + q}\t0\t{4 * q}\t1\n" for q in range(12)))
    triples = [f"{100 + q}\t{4 * q}\t{NEGATIVES[q][n]}\n" for n in range(6) for q in range(12) if n < len(NEGATIVES[q])]
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


def write_published(folder: Path) -> Path:
    """The same training data in the two files that the publication's code reads."""
    folder.mkdir(parents=True)
    passages = {str(number): text for number, text in enumerate(PASSAGES)}
    queries = {
        str(100 + q): {"query": text, "pos": [str(4 * q), "1"], "hard_neg": list(map(str, NEGATIVES[q]))}
        for q, text in enumerate(TRAINING)
    }
    (folder / "msmarco.sbert.train.full.corpus.json").write_text(json.dumps(passages))
    (folder / "msmarco.sbert.train.full.json").write_text(json.dumps(queries))
    return folder
