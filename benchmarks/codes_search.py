"""Search over 1,000,000 documents at 64 bytes, beside FAISS's codes of the same size: recall and speed in one run.

Documents are made from MS MARCO's passages (`benchmarks.passages`); heads, codecs and FAISS's indexes are all fitted to
the same 10,000 passages that are not among them. Writes docs/results/codes-search.md and .json; needs ../shared/data.
``python -m benchmarks.codes_search``
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import faiss
import torch
from torch import Tensor

from benchmarks.measure import interleaved
from benchmarks.passages import load_passages, multiplied
from hybrid_qproj import QuantumProjection, __version__
from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.codec import Codec
from hybrid_qproj.experiments.tables import markdown
from hybrid_qproj.fitting import FitSettings
from hybrid_qproj.heads.base import Head
from hybrid_qproj.heads.linear import stored_numbers
from hybrid_qproj.index import AngleIndex, AngleStore, exhaustive_search
from hybrid_qproj.similarity.topk import top_k_fidelity

OUT = Path(__file__).resolve().parents[1] / "docs" / "results"
ROWS, FITTED, WIDTH, BYTES = 1_000_000, 10_000, 256, 64
WANTED = 100
BATCH, REPEATS = 64, 3
AT_ONCE = 1 << 15
PEER = "FAISS PQ, 64 parts of 8 bits"


class Method(NamedTuple):
    """A way of searching.

    Attributes:
        name: for the table.
        bytes: a document, in what is searched.
        stored: numbers beside these.
        search: positions of the best for queries as embeddings, (q, 100).
    """

    name: str
    bytes: int
    stored: int
    search: Callable[[Tensor], Tensor]


def angles_of(head: Head, embeddings: Tensor) -> Tensor:
    """Outputs of a head, in pieces."""
    with torch.no_grad():
        return torch.cat([head(part) for part in embeddings.split(AT_ONCE)])


def heads(training: Tensor) -> dict[str, Head]:
    """Heads of 256 outputs, fitted."""
    mixed = FitSettings(mixing=8, merging="select", angles=3072)
    return {
        "3,072 angles": QuantumProjection.fit(training, WIDTH, settings=mixed).eval(),
        "treelet": QuantumProjection.fit(training, WIDTH).eval(),
    }


def ours(name: str, head: Head, training: Tensor, documents: Tensor, folder: str) -> list[Method]:
    """A store of codes, compared with all of it, and through FAISS's fast scan over its index."""
    codec = Codec.fit(angles_of(head, training), BYTES)
    store = AngleStore.create(folder, WIDTH, codec=codec)
    for start in range(0, len(documents), 1 << 17):
        part = angles_of(head, documents[start : start + (1 << 17)])
        store.add([str(row) for row in range(start, start + len(part))], part)
    index = AngleIndex(store, "ivfpq")
    stored = stored_numbers(head) + codec.stored_numbers
    # Of the index a number is half a byte, and a position eight bytes.
    return [
        Method(
            f"{name}, bits: exhaustive",
            BYTES,
            stored,
            lambda queries: exhaustive_search(store, angles_of(head, queries), WANTED).positions,
        ),
        Method(
            f"{name}, bits: index ivfpq, {index.candidates} candidates",
            BYTES + WIDTH // 2 + 8,
            stored,
            lambda queries: index.search(angles_of(head, queries), WANTED).positions,
        ),
    ]


def theirs(training: Tensor, documents: Tensor) -> list[Method]:
    """FAISS's codes of whole embeddings, and the embeddings."""
    width = documents.shape[1]
    rotation = faiss.RandomRotationMatrix(width, width)
    rotation.init(0)
    found = []
    for name, size, stored, index in [
        ("FAISS flat, float32", 4 * width, 0, faiss.IndexFlatL2(width)),
        (PEER, BYTES, 256 * width, faiss.IndexPQ(width, BYTES, 8)),
        ("FAISS PQ fast scan, 128 parts of 4 bits", BYTES, 16 * width, faiss.IndexPQFastScan(width, 2 * BYTES, 4)),
        # A code and two floats; as FAISS has it, and after the rotation that its paper begins with.
        ("FAISS RaBitQ", width // 8 + 8, width, faiss.IndexRaBitQ(width)),
        (
            "FAISS RaBitQ after a random rotation",
            width // 8 + 8,
            width * (width + 1),
            faiss.IndexPreTransform(rotation, faiss.IndexRaBitQ(width)),
        ),
    ]:
        index.train(training.numpy())
        index.add(documents.numpy())
        found.append(Method(name, size, stored, partial(_positions, index)))
    return found


def _positions(index: Any, queries: Tensor) -> Tensor:
    return torch.from_numpy(index.search(queries.numpy(), WANTED)[1])


def recall(found: Tensor, truth: Tensor) -> float:
    """Share of the best that were found."""
    return sum((a[:, None] == b).any(1).double().mean().item() for a, b in zip(truth, found, strict=True)) / len(truth)


def measure(rows: int) -> dict[str, Any]:
    """All figures."""
    torch.manual_seed(0)
    passages = load_passages()
    training, queries = passages.training[:FITTED], passages.queries
    documents = multiplied(passages.documents, rows)
    methods, truths = theirs(training, documents), {}
    truths["whole embeddings"] = methods[0].search(queries)
    with tempfile.TemporaryDirectory() as folder:
        for name, head in heads(training).items():
            truths[name] = top_k_fidelity(angles_of(head, queries), angles_of(head, documents), WANTED)[1]
            methods += ours(name, head, training, documents, f"{folder}/{len(methods)}")
        found = {method.name: method.search(queries) for method in methods}
        batch, one = queries[:BATCH], queries[:1]
        times = interleaved({method.name: partial(method.search, batch) for method in methods}, REPEATS)
        alone = interleaved({method.name: partial(method.search, one) for method in methods}, REPEATS)
    rates, latencies = ({name: statistics.median(each) for name, each in part.items()} for part in (times, alone))
    return {
        "versions": {
            "hybrid_qproj": __version__,
            "torch": torch.__version__,
            "faiss": faiss.__version__,
            "python": platform.python_version(),
        },
        "threads": torch.get_num_threads(),
        "documents": rows,
        "queries": len(queries),
        "seed": 0,
        "rows": [
            {
                "method": method.name,
                "bytes": method.bytes,
                "stored": method.stored,
                "recall": {truth: recall(found[method.name], best) for truth, best in truths.items()},
                "queries_a_second": BATCH / rates[method.name],
                "times_as_fast": rates[PEER] / rates[method.name],
                "times_as_fast_alone": latencies[PEER] / latencies[method.name],
            }
            for method in methods
        ],
    }


def table(figures: dict[str, Any]) -> str:
    """As Markdown."""
    names = list(figures["rows"][0]["recall"])
    lines = [
        [
            row["method"],
            str(row["bytes"]),
            f"{row['stored']:,}",
            *(f"{row['recall'][name]:.3f}" for name in names),
            f"{row['queries_a_second']:,.0f}",
            f"{row['times_as_fast']:.2f}",
            f"{row['times_as_fast_alone']:.2f}",
        ]
        for row in figures["rows"]
    ]
    versions = ", ".join(f"{name} {version}" for name, version in figures["versions"].items())
    says = (
        f"Recall@{WANTED} over {figures['documents']:,} documents, {figures['queries']} queries, against the best "
        f"{WANTED} of exhaustive search in float: by L2 of whole embeddings, and by fidelity of a head's {WIDTH} "
        f"angles. Queries a second in batches of {BATCH}, queries embedded, heads included, "
        f"{figures['threads']} threads, and that as a ratio to {PEER} in the same run; the last column is "
        f"for one query at a time. {versions}; seed {figures['seed']}.\n\n"
    )
    recalls = ["whole" if name == "whole embeddings" else f"fidelity, {name}" for name in names]
    head = ["search", "bytes", "stored", *recalls, "queries a second", "times as fast as PQ", "one query"]
    return says + markdown(head, lines)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    figures = measure(arguments.rows)
    write_atomically(arguments.out / "codes-search.json", (json.dumps(figures, indent=1) + "\n").encode())
    write_atomically(arguments.out / "codes-search.md", table(figures).encode())
    print(table(figures))


if __name__ == "__main__":
    main()
