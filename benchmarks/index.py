"""Search over angles: recall and speed of the index against an exhaustive comparison, and what fewer bits cost."""

from __future__ import annotations

import math
import statistics
import tempfile
from functools import partial

import numpy as np
import torch
from torch import Tensor

from benchmarks.fitted import SHARED
from benchmarks.measure import Section, interleaved
from benchmarks.passages import multiplied
from hybrid_qproj import QuantumProjection
from hybrid_qproj._util.norms import unit
from hybrid_qproj.index import AngleIndex, AngleStore, exhaustive_search
from hybrid_qproj.index.precision import PRECISIONS, pack, unpack
from hybrid_qproj.retrieval.measures import evaluate_run
from hybrid_qproj.retrieval.trec import read_qrels, read_run
from hybrid_qproj.similarity.fidelity import pairwise_log_fidelity
from hybrid_qproj.training.distill import DistillationSettings, distill

ROWS, WIDTH, QUERIES = 1_000_000, 256, 64
WANTED = 100
TRAINING = 4000
AT_ONCE = 1 << 15


def clustered(rows: int, width: int, seed: int) -> Tensor:
    """Angles around centres, two scales of them, as those of texts are."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.Generator().manual_seed(0)
    coarse = 0.4 * torch.randn(100, width, generator=centres)
    fine = 0.25 * torch.randn(5000, width, generator=centres)
    which = torch.randint(5000, (rows,), generator=generator)
    angles = torch.randn(rows, width, generator=generator).mul_(0.15)
    return angles.add_(coarse[which % 100]).add_(fine[which]).add_(math.pi / 2).clamp_(0, math.pi)


def search(
    section: Section, name: str, angles: Tensor, queries: Tensor, settings: list[tuple[str, int, int | None]]
) -> None:
    """Recall and speed of kinds of index, numbers of candidates and efforts."""
    import faiss  # noqa: PLC0415 - the extra 'index'

    with tempfile.TemporaryDirectory() as folder:
        store = AngleStore.create(folder, angles.shape[1])
        store.add([str(row) for row in range(len(angles))], angles)
        kinds = {kind: AngleIndex(store, kind) for kind, _, _ in settings}
        truth = exhaustive_search(store, queries, WANTED).positions
        for kind, candidates, effort in settings:
            index = kinds[kind]
            index.candidates = candidates
            found = index.search(queries, WANTED, effort).positions
            recall = (found[:, :, None] == truth[:, None, :]).any(dim=1).float().mean().item()
            times = interleaved(
                {
                    "ours": partial(index.search, queries, WANTED, effort),
                    "exhaustive": partial(exhaustive_search, store, queries, WANTED),
                },
                3,
            )
            label = f"{name}: {kind}, {candidates} candidates, effort {'default' if effort is None else effort}"
            section.ratio(label, times["exhaustive"], times["ours"])
            _, ratio, _ = section.lines.pop()
            text = f"recall@{WANTED} {recall:.4f}, {ratio} times as fast as exhaustive"
            section.lines.append((label, text, ">= 0.99, >= 20"))
            section.figures[f"{label}: recall"] = recall
            pairs = len(queries) * angles.numel()
            section.figures["angle pairs a second"] = pairs / statistics.median(times["exhaustive"])
        flat = faiss.IndexFlatL2(angles.shape[1])
        flat.add(angles.numpy())
        index = AngleIndex(store, "flat", 2)
        times = interleaved(
            {"faiss": lambda: flat.search(queries.numpy(), WANTED), "ours": lambda: index.search(queries, WANTED)}, 3
        )
        section.ratio(f"{name}: flat index with exact scores / FAISS alone", times["ours"], times["faiss"])


def real(section: Section) -> None:
    """The index over MS MARCO passages, and precisions on TREC DL."""
    with np.load(SHARED / "embeddings/minilm.msmarco-v2.npz") as archive:
        training = torch.from_numpy(archive["docs"][:TRAINING]).float()
    with np.load(SHARED / "embeddings/minilm.msmarco-passage.npz") as archive:
        names = {part: [str(name) for name in archive[part]] for part in ("docids", "qids")}
        documents, queries = (torch.from_numpy(archive[part]).float() for part in ("docs", "queries"))
    for k in (128, 64, 32):
        torch.manual_seed(0)
        head = QuantumProjection(384, k, "rotor", plan="tree", normalize=True, scale=4.0)
        distill(head, training, DistillationSettings(steps=200), seed=0)
        with torch.no_grad():
            angles, asked = head.eval()(documents), head(queries)
        for year in (2019, 2020):
            values = {name: ndcg(unpack(pack(angles, name)), asked, names, year) for name in PRECISIONS}
            text = ", ".join(f"{name} {value:.4f}" for name, value in values.items())
            section.figures[f"NDCG@10, k = {k}, {year}"] = values
            section.lines.append((f"NDCG@10 by precision, k = {k}, TREC DL {year}", text, "within 0.002"))
        if k == 128:
            settings = [*(("flat", c, None) for c in (1, 2, 4)), *(("ivf", 2, e) for e in (32, 64)), ("hnsw", 2, None)]
            search(section, f"{len(angles):,} MS MARCO passages, {len(asked)} queries", angles, asked, settings)
            name = f"{ROWS:,} vectors made from these, {QUERIES} queries"
            with torch.no_grad():
                many = torch.cat([head(part) for part in multiplied(unit(documents), ROWS).split(AT_ONCE)])
            search(section, name, many, asked[:QUERIES], [("ivfpq", 3, 128), ("ivfpq", 4, None), ("ivf", 1, 128)])


def ndcg(angles: Tensor, queries: Tensor, names: dict[str, list[str]], year: int) -> float:
    """NDCG@10 of re-ranking the BM25 candidates of TREC DL."""
    place = {part: {name: row for row, name in enumerate(names[part])} for part in names}
    run = {}
    for query, candidates in read_run(SHARED / f"candidates/bm25.trec-dl-{year}.run").items():
        rows = [place["docids"][name] for name in candidates]
        scores = pairwise_log_fidelity(queries[place["qids"][query]][None], angles[rows])[0]
        run[query] = dict(zip(candidates, scores.tolist(), strict=True))
    qrels = read_qrels(SHARED / f"ir_datasets_home/msmarco-passage/trec-dl-{year}/qrels")
    values = evaluate_run(qrels, run, ["NDCG@10"])["NDCG@10"]
    return sum(values.values()) / len(values)


def measure() -> Section:
    """Run the benchmark."""
    section = Section("Index", f"recall@{WANTED} against exhaustive fidelity; queries in one call")
    if SHARED.is_dir():
        real(section)
    else:
        section.missing["MS MARCO passages and TREC DL"] = f"{SHARED.parent.name}/data is not beside this checkout"
    documents, queries = (clustered(rows, WIDTH, seed) for rows, seed in ((ROWS, 1), (QUERIES, 2)))
    name = f"{ROWS:,} synthetic clustered vectors of {WIDTH}, {QUERIES} queries"
    search(section, name, documents, queries, [("ivf", 2, 16), ("ivf", 2, 64), ("ivf", 4, 64)])
    return section
