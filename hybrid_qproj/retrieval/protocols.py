"""How a ranking is evaluated: which documents of a collection a query's ranking is made of."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval.collection import Collection, inspect_documents
from hybrid_qproj.retrieval.documents import Documents
from hybrid_qproj.retrieval.measures import Run
from hybrid_qproj.retrieval.problems import same_text
from hybrid_qproj.retrieval.ranking import BestDocuments
from hybrid_qproj.text.sides import Side, encode_side

Protocol = Literal["rerank", "judged", "retrieve"]

DEPTH = 1000
"""Documents a query of the protocol ``retrieve``, as runs submitted to TREC have."""

DOCUMENTS_AT_ONCE = 1 << 16
"""Encoded and scored together by the protocol ``retrieve``."""


class Ranker(typing.Protocol):
    """What ranks texts: a SentenceTransformer, or what has these of one."""

    def encode_query(self, *args: Any, **kwargs: Any) -> Any:
        """Queries as what `similarity` compares."""

    def encode_document(self, *args: Any, **kwargs: Any) -> Any:
        """Documents as what `similarity` compares, which may be codes."""

    @property
    def similarity(self) -> Callable[[Any, Any], Tensor]:
        """Scores of queries with documents, higher is closer."""


@dataclass(frozen=True)
class TestSet:
    """Queries, what each of them ranks, and judgements.

    Args:
        name: for tables.
        queries: query id -> text; those with judgements.
        qrels: query id -> document id -> grade.
        candidates: query id -> ids of the documents to rank; None for all of ``documents``.
        texts: document id -> text, of the candidates.
        documents: the whole corpus, streamed; read only where ``candidates`` is None.
        relevant: least grade that counts as relevant for binary measures.
        depth: documents a query, where the whole corpus is ranked.
        problems: what was left out and why, for people.
        drop_self: whether a query's ranking leaves out the document of its own id.
    """

    __test__ = False  # no test of pytest

    name: str
    queries: Mapping[str, str]
    qrels: Mapping[str, Mapping[str, int]]
    candidates: Mapping[str, tuple[str, ...]] | None
    texts: Mapping[str, str]
    documents: Documents
    relevant: int = 1
    depth: int = DEPTH
    problems: tuple[str, ...] = ()
    drop_self: bool = False

    def all_texts(self) -> Iterator[str]:
        """Every text that a ranking needs, queries first; a text may come twice."""
        yield from self.queries.values()
        if self.candidates is None:
            for document in self.documents:
                yield document.text
        else:
            yield from self.texts.values()


def make_test_set(
    collection: Collection,
    protocol: Protocol,
    run: Run | None = None,
    relevant: int = 1,
    depth: int = DEPTH,
    drop_self: bool | None = None,
) -> TestSet:
    """Prepare a collection for evaluation.

    Args:
        collection: queries, documents and judgements.
        protocol: ``"rerank"`` orders the documents of a run anew; ``"judged"`` orders the judged documents of each
            query (the protocol of arXiv:2501.04591); ``"retrieve"`` ranks the whole corpus, exactly.
        run: the first stage of ``"rerank"``.
        relevant: see `TestSet`.
        depth: see `TestSet`.
        drop_self: whether the document that has a query's own id is left out of its ranking, as BEIR leaves it out,
            for collections whose queries are documents of their own corpus; None for what the collection says.

    Returns:
        the test set, of the queries that have text and judgements.

    Raises:
        DataError: no query is left, the run is missing or answers none of the queries, or an id of the corpus is there
            twice (for ``"retrieve"``, whose corpus is read once here).
    """
    if protocol not in get_args(Protocol):
        raise DataError(f"protocol {protocol!r}: expected one of {', '.join(get_args(Protocol))}")
    if depth < 1:
        raise DataError(f"depth = {depth}: expected at least 1 document a query")
    queries = {query: text for query, text in collection.queries.items() if collection.qrels.get(query)}
    problems = list(collection.problems)
    if not queries:
        raise DataError(
            f"{collection.name} has no query with judgements ({len(collection.queries)} queries, "
            f"{len(collection.qrels)} judged ones): nothing can be evaluated; check the split and the ids"
        )
    qrels = {query: collection.qrels[query] for query in queries}
    drop = collection.drop_self if drop_self is None else drop_self
    if protocol == "retrieve":
        wrong, own = inspect_documents(collection)
        mine = {query: same for query, same in own.items() if query in queries}
        problems += [*wrong, *_own_documents(mine, len(queries), drop)]
        return TestSet(
            collection.name, queries, qrels, None, {}, collection.documents, relevant, depth, tuple(problems), drop
        )
    wanted = {query: tuple(grades) for query, grades in qrels.items()}
    if protocol == "rerank":
        wanted, left = _first_stage(collection.name, queries, run)
        problems += left
    texts = collection.documents.get({document for documents in wanted.values() for document in documents})
    candidates = {query: tuple(d for d in documents if d in texts) for query, documents in wanted.items()}
    lost = sum(map(len, wanted.values())) - sum(map(len, candidates.values()))
    if lost:
        problems.append(f"{lost} candidates have no text in the collection and are left out")
    same = {query: same_text(text, texts[query]) for query, text in queries.items() if query in candidates[query]}
    problems += _own_documents(same, len(queries), drop)
    if drop:
        candidates = {query: tuple(d for d in documents if d != query) for query, documents in candidates.items()}
    if not any(candidates.values()):
        raise DataError(f"no candidate of {collection.name} has text: is it the collection that the ids are from?")
    return TestSet(
        collection.name, queries, qrels, candidates, texts, collection.documents, relevant, depth, tuple(problems), drop
    )


def _first_stage(
    name: str, queries: Mapping[str, str], run: Run | None
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The documents that a run has for each query, and what is missing of it."""
    if run is None:
        raise DataError("protocol 'rerank' orders the documents of a first stage anew: give its run file")
    wanted = {query: tuple(run.get(query, ())) for query in queries}
    unanswered = sum(not documents for documents in wanted.values())
    if unanswered == len(wanted):
        raise DataError(f"the run answers none of the {len(queries)} queries of {name}; check the ids")
    return wanted, [f"{unanswered} of {len(queries)} queries are not in the run and count as 0"] * (unanswered > 0)


def _own_documents(same: Mapping[str, bool], queries: int, drop: bool) -> list[str]:
    """What is said of queries that have the id of a document: query id -> whether they have its text too."""
    if not same:
        return []
    found = (
        f"{len(same)} of {queries} queries have the id of a document that they rank ({sum(same.values())} its text too)"
    )
    if drop:
        return [f"{found}: it is left out of their rankings, as BEIR leaves it out; drop_self = false keeps it"]
    return [f"{found}: it stays in their rankings; drop_self = true leaves it out, as BEIR does"]


def rank(encoder: Ranker, test: TestSet, batch_size: int = 64) -> Run:
    """Rank a test set's documents.

    Args:
        encoder: a model, whose own similarity scores: one with a head, or any other. Queries go through
            ``encode_query``, documents through ``encode_document``.
        test: the test set.
        batch_size: texts encoded at once.

    Returns:
        the run: query id -> document id -> score.
    """
    ids = list(test.queries)
    queries = _encode(encoder, list(test.queries.values()), batch_size, "query")
    if test.candidates is None:
        return _rank_corpus(encoder, test, ids, queries, batch_size)
    rows = {document: row for row, document in enumerate(test.texts)}
    documents = _encode(encoder, list(test.texts.values()), batch_size, "document")
    run = {}
    for row, query in enumerate(ids):
        names = test.candidates[query]
        index = torch.tensor([rows[name] for name in names], dtype=torch.long, device=documents.device)
        scores = encoder.similarity(queries[row : row + 1], documents[index])[0]
        run[query] = dict(zip(names, scores.double().tolist(), strict=True))
    return run


def _rank_corpus(encoder: Ranker, test: TestSet, ids: list[str], queries: Tensor, batch_size: int) -> Run:
    # One more, so that the depth is reached without the query's own document.
    best = BestDocuments(len(ids), test.depth + test.drop_self)
    stream = iter(test.documents)
    while chunk := list(islice(stream, DOCUMENTS_AT_ONCE)):
        documents = _encode(encoder, [document.text for document in chunk], batch_size, "document")
        best.add([document.id for document in chunk], encoder.similarity(queries, documents))
    best.finish()
    if not best.names:
        raise DataError(f"{test.name} has no documents to retrieve from")
    run = {}
    for query, places, scores in zip(ids, best.positions.tolist(), best.scores.double().tolist(), strict=True):
        found = {best.names[place]: score for place, score in zip(places, scores, strict=True)}
        if test.drop_self:
            found.pop(query, None)
        run[query] = dict(islice(found.items(), test.depth))
    return run


def _encode(encoder: Ranker, texts: list[str], batch_size: int, side: Side) -> Tensor:
    encoded: Tensor = encode_side(encoder, texts, side, batch_size=batch_size, convert_to_tensor=True)
    # A clone: tensors born in inference mode cannot be used in every later computation.
    return encoded.clone()
