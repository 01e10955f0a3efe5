"""Quality at equal bytes a document: tables, figures and goals of docs/results.md.

Runs examples/codes: lee everywhere, cranfield where ir_datasets finds Cranfield, trec-dl, mpnet and trained where
../shared/data lies beside the checkout. Interrupted runs go on; names choose some: python -m benchmarks.codes lee
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.fitted import MEASURE, SHARED, TABLES, lend_datasets
from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.cli.run.compare import run_compare
from hybrid_qproj.experiments.comparisons import compare
from hybrid_qproj.experiments.config import load_config
from hybrid_qproj.experiments.summary import Row
from hybrid_qproj.experiments.tables import comparisons_to_markdown, markdown, sizes_to_markdown
from hybrid_qproj.retrieval.significance import holm, paired_randomization
from hybrid_qproj.viz.image import image_bytes
from hybrid_qproj.viz.results import Point, quality_against_bytes

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
ENCODERS = {"MiniLM": ("lee", "cranfield", "trec-dl"), "mpnet": ("mpnet",)}
"""Encoder -> experiments."""
OTHERS = ("trained",)
"""Experiments that no goal is about."""
SHARED_DATA = ("trec-dl", "mpnet", "trained")
HEADS = ("3,072 angles, bits", "treelet, bits", "4 mixing stages, bits", "3,072 angles, signs")
PEERS = ("PQ", "OPQ", "RaBitQ")
PCAS = ("PCA, bits", "PCA of all, bits")
ITQ, FULL = "ITQ", "full"
MOST = 4_000
"""Numbers that a head and its codec store at most."""
NEAR_PCA, NEAR_FULL = 0.005, 0.003
SIZES, SIGN_SIZES, WHOLE = (128, 64, 32, 16), (48, 32, 16), 128


class Collection(NamedTuple):
    """A test or pool of an experiment, and the rows of all heads."""

    name: str
    rows: Sequence[Row]

    def row(self, head: str, size: int) -> Row | None:
        """A head's row; of one that has a single size, as the full embedding, that one."""
        mine = [row for row in self.rows if row.key.head == head]
        at_size = [row for row in mine if row.key.k == size]
        return at_size[0] if at_size else mine[0] if len(mine) == 1 and head == FULL else None


class Difference(NamedTuple):
    """A head less a baseline: a mean over collections, and p over the queries of all of them."""

    mean: float
    p: float
    collections: int


def main() -> None:
    """Run what is asked for and can be run; write what is there."""
    names = sys.argv[1:] or [name for group in ENCODERS.values() for name in group] + list(OTHERS)
    if SHARED.is_dir():
        lend_datasets()
    elif wrong := sorted(set(names).intersection(SHARED_DATA)):
        names = [name for name in names if name not in wrong]
        print(f"left out: {', '.join(wrong)}; ../shared/data is not beside this checkout", file=sys.stderr)
    for name in OTHERS:
        if name in names:
            run(name)
    for encoder, group in ENCODERS.items():
        collections = [found for name in group if name in names for found in run(name)]
        if set(group) <= set(names):
            write_atomically(TABLES / f"codes-goals-{encoder.lower()}.md", goals(collections).encode())
            write_atomically(IMAGES / f"codes-{encoder.lower()}.svg", front(collections, encoder))


def run(name: str) -> list[Collection]:
    """Run an experiment; write tables for each of its pools or tests, and all means as JSON."""
    path, out = ROOT / "examples" / "codes" / f"{name}.toml", ROOT / "results" / f"codes-{name}"
    config = load_config(path)
    if name == "mpnet":
        embedded_passages(ROOT / "results" / "codes-mpnet-passages.tsv")
    rows = run_compare(path, out)
    found = [Collection(pool, rows) for pool in config.pools or [test.name for test in config.test]]
    for number, collection in enumerate(found, start=1):
        comparisons = [c for baseline in config.baselines for c in compare(rows, baseline, collection.name, MEASURE)]
        suffix = f"-{number}" if config.pools else ""
        table = sizes_to_markdown(rows, comparisons, collection.name, MEASURE, "stored")
        write_atomically(TABLES / f"codes-{name}{suffix}.md", table.encode())
        mine = [c for c in comparisons if c.head.head in HEADS and c.baseline.k in (c.head.k, *whole(c.baseline.head))]
        if mine:
            tests = comparisons_to_markdown(mine, config.sizes_in)
            write_atomically(TABLES / f"codes-{name}-tests{suffix}.md", tests.encode())
    write_atomically(TABLES / f"codes-{name}.json", (json.dumps(numbers(found), indent=1) + "\n").encode())
    return found


def embedded_passages(path: Path) -> None:
    """Write the training passages whose mpnet embeddings there are: no model is needed for these."""
    with np.load(SHARED / "embeddings" / "mpnet.msmarco-v2.npz") as archive:
        wanted = set(archive["docids"].tolist())
    lines = (SHARED / "train" / "msmarco-v2.passages.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, "".join(line for line in lines if line.split("\t")[0] in wanted).encode())


def whole(baseline: str) -> tuple[int, ...]:
    """The sizes of a baseline that every size is compared with."""
    return (4 * 384, 4 * 768) if baseline == FULL else ()


def numbers(collections: Sequence[Collection]) -> list[dict[str, Any]]:
    """Means of all rows, for programs."""
    return [
        {
            "collection": collection.name,
            "head": row.key.head,
            "bytes": row.key.k,
            "stored": row.stored,
            "seeds": row.seeds,
            "mean": row.scores[collection.name][MEASURE].mean,
            "sd": row.scores[collection.name][MEASURE].sd,
        }
        for collection in collections
        for row in collection.rows
    ]


def difference(collections: Sequence[Collection], head: str, baseline: str, size: int) -> Difference | None:
    """What a head has above a baseline at a size, on all collections where both were measured."""
    differences, mine, theirs = [], {}, {}
    for collection in collections:
        row, other = collection.row(head, size), collection.row(baseline, size)
        if row is None or other is None:
            continue
        scores = [each.scores[collection.name][MEASURE].mean for each in (row, other)]
        differences.append(scores[0] - scores[1])
        for found, each in ((mine, row), (theirs, other)):
            per_query = each.per_query[collection.name][MEASURE]
            found.update({f"{collection.name}/{query}": value for query, value in per_query.items()})
    if not differences:
        return None
    return Difference(sum(differences) / len(differences), paired_randomization(mine, theirs, 0), len(differences))


def goals(collections: Sequence[Collection]) -> str:
    """What was wanted at equal bytes, and whether it is so on the mean of the collections."""
    lines = []
    for head in HEADS:
        for size in SIZES:
            stored = stored_numbers(collections, head, size)
            wanted = [(peer, 0.0) for peer in PEERS] + [(pca, -NEAR_PCA) for pca in PCAS]
            found = _line(f"(a) above {', '.join(PEERS)}, within {NEAR_PCA} of PCA", collections, head, size, wanted)
            if found and stored > MOST:
                found[0][-1] = f"no: above {MOST:,} numbers"
            lines += found
    for head in HEADS:
        for size in SIGN_SIZES:
            found = _line("(b) above ITQ, a tenth of its numbers", collections, head, size, [(ITQ, 0.0)])
            if found and 10 * stored_numbers(collections, head, size) > stored_numbers(collections, ITQ, size):
                found[0][-1] = "no: above a tenth of its numbers"
            lines += found
    for head in HEADS:
        lines += _line(f"(c) within {NEAR_FULL} of float32", collections, head, WHOLE, [(FULL, -NEAR_FULL)])
    return markdown(["goal", "head", "bytes", "stored", f"{MEASURE} difference, p after Holm", "met"], lines)


def stored_numbers(collections: Sequence[Collection], head: str, size: int) -> int:
    """The most numbers that a head and its codec store on any of the collections; 0 where it was not measured."""
    rows = [row for collection in collections if (row := collection.row(head, size)) is not None]
    return max((row.stored for row in rows), default=0)


def _line(
    goal: str, collections: Sequence[Collection], head: str, size: int, wanted: Sequence[tuple[str, float]]
) -> list[list[str]]:
    found = [(name, least, difference(collections, head, name, size)) for name, least in wanted]
    known = [(name, least, each) for name, least, each in found if each is not None]
    if len(known) < len(wanted):
        return []
    corrected = holm([each.p for *_, each in known])
    shown = [
        f"{name}: {each.mean:+.4f} (p = {p:.3f}"
        + (f", {each.collections} of {len(collections)} collections)" if each.collections < len(collections) else ")")
        for (name, _, each), p in zip(known, corrected, strict=True)
    ]
    met = all(each.mean > least if least == 0 else each.mean >= least for _, least, each in known)
    stored = f"{stored_numbers(collections, head, size):,}"
    return [[goal, head, str(size), stored, "; ".join(shown), "yes" if met else "no"]]


def front(collections: Sequence[Collection], encoder: str) -> bytes:
    """Quality against bytes, each a mean over the collections; heads that some of them lack at a size are left out."""
    keys = list(dict.fromkeys((row.key.head, row.key.k) for collection in collections for row in collection.rows))
    points = []
    for head, size in keys:
        rows = [collection.row(head, size) for collection in collections]
        if any(row is None for row in rows):
            continue
        means = [
            row.scores[collection.name][MEASURE].mean
            for row, collection in zip(rows, collections, strict=True)
            if row is not None
        ]
        stored, words = stored_numbers(collections, head, size), f"{size:,} bytes"
        mean = sum(means) / len(means)
        points.append(Point(head, size, "", None, stored, mean, None, head == FULL, False, words))
    label = f"{MEASURE}, {encoder}, mean over {len(collections)} collections"
    return image_bytes(quality_against_bytes(points, label), "svg")


if __name__ == "__main__":
    main()
