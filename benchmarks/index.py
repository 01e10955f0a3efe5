"""Search over angles: recall and speed of the index against an exhaustive comparison, and what fewer bits cost.

Run: python benchmarks/index.py [--rows 1000000]. The part on real passages needs the data beside a checkout of the
developers (../shared/data) and the cache of `make results`; where they are missing, it says so.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from hybrid_qproj import QuantumProjection
from hybrid_qproj.experiments.config import load_config
from hybrid_qproj.experiments.data import ExperimentData, read_data
from hybrid_qproj.index import AngleIndex, AngleStore
from hybrid_qproj.index.precision import PRECISIONS, pack, unpack
from hybrid_qproj.retrieval.measures import evaluate_run
from hybrid_qproj.retrieval.protocols import TestSet
from hybrid_qproj.sbert import Encoder, ProjectionHead
from hybrid_qproj.training.distill import DistillationSettings, distill

ROOT = Path(__file__).resolve().parents[1]
TRAINING_TEXTS = 4000


def seconds(run: Callable[[], object], repeats: int = 3) -> float:
    """Median wall time, after one run that is not counted."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def clustered(rows: int, width: int, seed: int) -> torch.Tensor:
    """Angles around centres, two scales of them, as those of texts are."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.Generator().manual_seed(0)
    coarse = 0.4 * torch.randn(100, width, generator=centres)
    fine = 0.25 * torch.randn(5000, width, generator=centres)
    which = torch.randint(5000, (rows,), generator=generator)
    angles = torch.randn(rows, width, generator=generator).mul_(0.15)
    return angles.add_(coarse[which % 100]).add_(fine[which]).add_(math.pi / 2).clamp_(0, math.pi)


def recall_and_speed(angles: torch.Tensor, queries: torch.Tensor, settings: list[tuple[str, int, int | None]]) -> None:
    """A line for each kind of index, number of candidates and effort."""
    store = AngleStore.create(tempfile.mkdtemp(), angles.shape[1])
    store.add([str(row) for row in range(len(angles))], angles)
    indexes = {kind: AngleIndex(store, kind) for kind, _, _ in settings}
    anyone = next(iter(indexes.values()))
    truth = anyone.exhaustive(queries, 100).positions
    slow = seconds(partial(anyone.exhaustive, queries, 100), 1)
    for kind, candidates, effort in settings:
        index = indexes[kind]
        index.candidates = candidates
        found = index.search(queries, 100, effort).positions
        recall = (found[:, :, None] == truth[:, None, :]).any(dim=1).float().mean()
        ratio = slow / seconds(partial(index.search, queries, 100, effort))
        print(
            f"  {kind:>4}, {candidates} candidates a document, effort {effort}: recall@100 {recall:.4f}, "
            f"{ratio:.1f} times as fast as exhaustive"
        )


def ndcg(model: Encoder, test: TestSet, precision: str) -> float:
    """NDCG@10 with documents in a precision, queries in float32."""
    encode = lambda texts: model.encode(list(texts), convert_to_tensor=True).clone()  # noqa: E731 - used twice, here
    queries, documents = encode(test.queries.values()), encode(test.texts.values())
    documents = unpack(pack(documents, precision))
    rows = {name: row for row, name in enumerate(test.texts)}
    run = {}
    for query, angles in zip(test.queries, queries, strict=True):
        names = test.candidates[query]
        scores = model.similarity(angles[None], documents[[rows[name] for name in names]])[0]
        run[query] = dict(zip(names, scores.tolist(), strict=True))
    measured = evaluate_run(test.qrels, run, ["NDCG@10"])["NDCG@10"]
    return sum(measured.values()) / len(measured)


def real(data: ExperimentData) -> None:
    """Precisions on TREC DL, and the index over all its passages."""
    plain = data.table
    training = plain.lookup(data.texts[:TRAINING_TEXTS])
    for k in (128, 64, 32):
        head = QuantumProjection(data.width, k, "rotor", plan="tree", normalize=True, scale=4.0)
        distill(head, training, DistillationSettings(steps=200), seed=0)
        model = Encoder(modules=[plain, ProjectionHead(head)], device="cpu")
        for test in data.tests:
            values = {precision: ndcg(model, test, precision) for precision in PRECISIONS}
            print(f"  k = {k}, {test.name}: " + ", ".join(f"{name} {value:.4f}" for name, value in values.items()))
        if k == 128:
            passages = dict.fromkeys(text for test in data.tests for text in test.texts.values())
            queries = dict.fromkeys(text for test in data.tests for text in test.queries.values())
            angles, asked = (model.encode(list(texts), convert_to_tensor=True) for texts in (passages, queries))
            print(f"  {len(passages):,} passages, {len(queries)} queries:")
            recall_and_speed(
                angles, asked, [*(("flat", c, None) for c in (1, 2, 4, 10)), ("ivf", 4, 64), ("hnsw", 4, None)]
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="synthetic documents")
    parser.add_argument("--width", type=int, default=256)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, seed 0")
    if (ROOT.parent / "shared" / "data").is_dir():
        print("TREC DL, rotor tree, distilled:")
        real(read_data(load_config(ROOT / "examples/trec-dl/main.toml")))
    else:
        print("../shared/data is not beside this checkout: the part on real passages is left out")
    print(f"{arguments.rows:,} synthetic clustered documents of {arguments.width} angles, 64 queries:")
    documents, queries = (clustered(rows, arguments.width, seed) for rows, seed in ((arguments.rows, 1), (64, 2)))
    recall_and_speed(documents, queries, [("ivf", c, effort) for c in (2, 4) for effort in (16, 64)])


if __name__ == "__main__":
    main()
