"""The demo's experiment: texts to embeddings, every head at every size and seed, NDCG@10 of each."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hybrid_qproj.demo.heads import ENTRIES, PUBLISHED, QUANTUM
from hybrid_qproj.heads.base import Head
from hybrid_qproj.heads.linear import stored_numbers, trainable_parameters
from hybrid_qproj.retrieval.lee import load_lee
from hybrid_qproj.retrieval.measures import Qrels, evaluate_run, similarity_run
from hybrid_qproj.similarity.fidelity import pairwise_cosine
from hybrid_qproj.training.distill import distill

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class Texts(NamedTuple):
    """What the heads are trained and scored on.

    Attributes:
        documents: embeddings of the judged texts, (50, d), float32.
        background: embeddings of the training texts, (300, d), float32.
        qrels: each judged text as a query for the others.
    """

    documents: Tensor
    background: Tensor
    qrels: Qrels


class Cell(NamedTuple):
    """One head of one size and seed."""

    name: str
    k: int
    seed: int


@dataclass(frozen=True)
class Outcome:
    """What came of a cell.

    Args:
        cell: the cell.
        ndcg: NDCG@10 of each query.
        parameters: trained parameters.
        stored: numbers the head needs at inference, fitted or drawn ones included.
        head: the trained head itself, where the report needs it.
    """

    cell: Cell
    ndcg: dict[str, float]
    parameters: int
    stored: int
    head: Head | None = None


def embed_lee(encoder: SentenceTransformer) -> Texts:
    """Embed the Lee corpus.

    Args:
        encoder: what embeds.

    Returns:
        embeddings and judgements.
    """
    corpus = load_lee()
    documents, background = (
        encoder.encode(texts, convert_to_tensor=True).clone() for texts in (corpus.documents, corpus.background)
    )
    return Texts(documents, background, corpus.qrels())


def score(texts: Texts, scores: Tensor) -> dict[str, float]:
    """NDCG@10 of each document's ranking of the others."""
    run = similarity_run(scores, [str(i) for i in range(len(scores))])
    return evaluate_run(texts.qrels, run, ["NDCG@10"])["NDCG@10"]


def score_uncompressed(texts: Texts) -> dict[str, float]:
    """NDCG@10 of the cosine of the full embeddings, per query."""
    return score(texts, pairwise_cosine(texts.documents, texts.documents))


def run_cell(cell: Cell, texts: Texts) -> Outcome:
    """Build, fit or train, and score one head.

    Args:
        cell: which.
        texts: on what.

    Returns:
        the outcome; the head itself comes along for the first seed of the quantum heads.
    """
    entry = ENTRIES[cell.name]
    generator = torch.Generator().manual_seed(cell.seed)
    head = entry.build(texts.background, cell.k, generator)
    if entry.training is not None:
        distill(head, texts.background, entry.training, seed=cell.seed)
    head.eval()
    with torch.no_grad():
        outputs = head(texts.documents)
        ndcg = score(texts, head.pairwise_similarity(outputs, outputs))
    keep = cell.seed == 0 and cell.name in (PUBLISHED, QUANTUM)
    return Outcome(cell, ndcg, trainable_parameters(head), stored_numbers(head), head if keep else None)


def cells(sizes: Sequence[int], seeds: int) -> list[Cell]:
    """All cells: one seed where it would change nothing."""
    return [
        Cell(name, k, seed)
        for k in sizes
        for name, entry in ENTRIES.items()
        for seed in range(seeds if entry.seeded else 1)
    ]


def run_cells(
    todo: Sequence[Cell], texts: Texts, workers: int | None, done: Callable[[Outcome], None]
) -> list[Outcome]:
    """Run cells in worker processes.

    Args:
        todo: what to run.
        texts: on what.
        workers: processes; one a core when None.
        done: called with each outcome as it comes.

    Returns:
        the outcomes in the order of ``todo``, whatever the number of workers.
    """
    outcomes = {}
    # Forking a process whose torch has started threads can hang; a cell's tensors are too small to share among
    # threads, and one thread gives the same rounding everywhere.
    with ProcessPoolExecutor(
        max_workers=workers or os.cpu_count(),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=torch.set_num_threads,
        initargs=(1,),
    ) as pool:
        # Longest first, so that no core idles at the end.
        order = sorted(todo, key=lambda cell: ENTRIES[cell.name].training is None)
        futures = [pool.submit(run_cell, cell, texts) for cell in order]
        try:
            for future in as_completed(futures):
                outcome = future.result()
                outcomes[outcome.cell] = outcome
                done(outcome)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [outcomes[cell] for cell in todo]


def mean_over_seeds(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Each query's NDCG@10, averaged over the seeds of one head."""
    return {query: float(np.mean([o.ndcg[query] for o in outcomes])) for query in outcomes[0].ndcg}
