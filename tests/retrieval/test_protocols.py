"""Which documents a query ranks, and that the ranking is the similarity's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from hybrid_qproj import QuantumProjection
from hybrid_qproj.classical import Uncompressed
from hybrid_qproj.embeddings.table import EmbeddingTable
from hybrid_qproj.retrieval import protocols
from hybrid_qproj.retrieval.collection import Collection
from hybrid_qproj.retrieval.documents import DataError, MemoryDocuments
from hybrid_qproj.retrieval.protocols import make_test_set, rank
from hybrid_qproj.sbert import Encoder, ProjectionHead

TEXTS = {f"d{i}": f"text {i}" for i in range(10)}
QUERIES = {"q1": "first", "q2": "second", "q3": "unjudged"}
QRELS = {"q1": {"d1": 2, "d2": 0, "lost": 1}, "q2": {"d5": 1}}
RUN = {"q1": {"d3": 9.0, "d1": 8.0, "gone": 7.0}}
ALL = [*TEXTS.values(), *QUERIES.values()]
ROWS = np.random.default_rng(0).normal(size=(len(ALL), 6)).astype(np.float32)


@pytest.fixture
def collection():
    return Collection("mini", MemoryDocuments(TEXTS), QUERIES, QRELS)


def model(head):
    return Encoder(modules=[EmbeddingTable.of(ALL, ROWS), ProjectionHead(head)], device="cpu")


def cosine(query, document):
    a, b = (torch.from_numpy(ROWS[ALL.index(text)]) for text in (QUERIES[query], TEXTS[document]))
    return torch.nn.functional.cosine_similarity(a, b, dim=0).item()


def test_judged(collection):
    """The judged documents that have text, of the judged queries."""
    test = make_test_set(collection, "judged")
    run = rank(model(Uncompressed(6)), test)
    assert {query: set(scores) for query, scores in run.items()} == {"q1": {"d1", "d2"}, "q2": {"d5"}}
    assert run["q1"]["d2"] == pytest.approx(cosine("q1", "d2"), abs=1e-6)
    assert test.problems == ("1 candidates have no text in the collection and are left out",)


def test_rerank(collection):
    """The run's documents, not its scores; a query it leaves out has an empty ranking."""
    test = make_test_set(collection, "rerank", RUN)
    run = rank(model(Uncompressed(6)), test)
    assert {query: set(scores) for query, scores in run.items()} == {"q1": {"d3", "d1"}, "q2": set()}
    assert run["q1"]["d3"] == pytest.approx(cosine("q1", "d3"), abs=1e-6)
    assert "1 of 2 queries are not in the run and count as 0" in test.problems


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_retrieve_is_exact(collection, chunk, monkeypatch):
    """The best of all documents, whatever the size of the chunks they come in."""
    monkeypatch.setattr(protocols, "CHUNK", chunk)
    run = rank(model(Uncompressed(6)), make_test_set(collection, "retrieve", depth=4))
    scores = {document: cosine("q2", document) for document in TEXTS}
    best = sorted(scores, key=scores.get, reverse=True)[:4]
    assert list(run["q2"]) == best
    assert list(run["q2"].values()) == pytest.approx([scores[document] for document in best], abs=1e-6)


def test_quantum_heads_rank_by_fidelity(collection):
    """Log-fidelities, at most 0."""
    head = QuantumProjection(6, 2, "rotor", scale=1.0).eval()
    run = rank(model(head), make_test_set(collection, "retrieve", depth=10))
    outputs = {d: head(torch.from_numpy(ROWS[i])) for i, d in enumerate(TEXTS)}
    query = head(torch.from_numpy(ROWS[10]))
    for document, score in run["q1"].items():
        expected = head.pairwise_similarity(query[None], outputs[document][None]).item()
        assert score == pytest.approx(expected, abs=1e-6)
        assert score <= 0


def test_refusals(collection):
    """Nothing to evaluate, nothing to rank, nothing in common."""
    with pytest.raises(DataError, match="has no query with judgements"):
        make_test_set(Collection("mini", MemoryDocuments(TEXTS), QUERIES, {}), "judged")
    with pytest.raises(DataError, match="give its run file"):
        make_test_set(collection, "rerank")
    with pytest.raises(DataError, match="the run answers none of the 2 queries"):
        make_test_set(collection, "rerank", {"x": {"d1": 1.0}})
    with pytest.raises(DataError, match="is it the collection that the ids are from"):
        make_test_set(Collection("mini", MemoryDocuments({"x": "y"}), QUERIES, QRELS), "judged")
    empty = Collection("mini", MemoryDocuments({}), QUERIES, QRELS)
    with pytest.raises(DataError, match="has no documents to retrieve from"):
        rank(model(Uncompressed(6)), make_test_set(empty, "retrieve"))
