"""Which documents a query ranks, and that the ranking is the similarity's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from hybrid_qproj import QuantumProjection
from hybrid_qproj.errors import DataError
from hybrid_qproj.heads.fixed import Uncompressed
from hybrid_qproj.retrieval import protocols
from hybrid_qproj.retrieval.collection import Collection
from hybrid_qproj.retrieval.documents import Document, Documents, MemoryDocuments
from hybrid_qproj.retrieval.protocols import make_test_set, rank
from hybrid_qproj.sbert import Encoder, ProjectionHead
from hybrid_qproj.text.embeddings.table import EmbeddingTable

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
    monkeypatch.setattr(protocols, "DOCUMENTS_AT_ONCE", chunk)
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
        # With a graph the head computes by other operations than without.
        assert score == pytest.approx(expected, abs=1e-5)
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


OWN = {"d1": "text 1", "d2": "text 2", "d3": "text 3"}


def own(drop_self=False):
    """Queries that are documents of their corpus: each is nearest to itself."""
    return Collection("own", MemoryDocuments(TEXTS), OWN, {query: {"d9": 1, query: 0} for query in OWN}, (), drop_self)


@pytest.mark.parametrize("protocol", ["retrieve", "judged", "rerank"])
def test_own_documents_are_dropped(protocol):
    """On every protocol, at full depth, and said; what the caller says goes before what the collection says."""
    stage = {query: {"d9": 1.0, query: 2.0, "d4": 0.0} for query in OWN} if protocol == "rerank" else None
    for collection, drop_self in ((own(), True), (own(True), None)):
        test = make_test_set(collection, protocol, stage, depth=4, drop_self=drop_self)
        run = rank(model(Uncompressed(6)), test)
        assert test.drop_self
        assert all(query not in scores for query, scores in run.items())
        assert {len(scores) for scores in run.values()} == {{"retrieve": 4, "judged": 1, "rerank": 2}[protocol]}
        (note,) = test.problems
        assert "3 of 3 queries have the id of a document that they rank (3 its text too): it is left out" in note


@pytest.mark.parametrize("protocol", ["retrieve", "judged", "rerank"])
def test_own_documents_that_stay_are_said(protocol):
    """A warning where ids coincide and nothing is dropped."""
    stage = {query: {"d9": 1.0, query: 2.0} for query in OWN} if protocol == "rerank" else None
    for collection, drop_self in ((own(), None), (own(True), False)):
        test = make_test_set(collection, protocol, stage, depth=4, drop_self=drop_self)
        run = rank(model(Uncompressed(6)), test)
        assert not test.drop_self
        assert all(max(scores, key=scores.get) == query for query, scores in run.items())
        assert "it stays in their rankings; drop_self = true leaves it out" in test.problems[0]


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_ties_at_the_depth(chunk, monkeypatch):
    """Equal scores are cut where trec_eval would cut them, whatever the chunks."""
    monkeypatch.setattr(protocols, "DOCUMENTS_AT_ONCE", chunk)
    texts = {f"d{i}": "text 1" for i in (3, 1, 4, 5, 9, 2, 6)}
    test = make_test_set(Collection("ties", MemoryDocuments(texts), QUERIES, QRELS), "retrieve", depth=3)
    assert list(rank(model(Uncompressed(6)), test)["q1"]) == ["d9", "d6", "d5"]


def test_duplicates_are_an_error():
    """Of any stream, wherever it comes from."""

    class Mine(Documents):
        def __iter__(self):
            return iter([Document("d1", "text 1"), Document("d2", "text 2"), Document("d1", "text 3")])

    mine = Collection("mine", Mine(), QUERIES, QRELS)
    for protocol in ("retrieve", "judged"):
        with pytest.raises(DataError, match="'d1'"):
            rank(model(Uncompressed(6)), make_test_set(mine, protocol))


def test_what_is_no_protocol(collection):
    """A misspelt name is none of the others, and a ranking has documents."""
    with pytest.raises(DataError, match="protocol 'retreive': expected one of rerank, judged, retrieve"):
        make_test_set(collection, "retreive")
    with pytest.raises(DataError, match="depth = 0: expected at least 1"):
        make_test_set(collection, "retrieve", depth=0)
