"""A collection: documents, queries and judgements, from ir_datasets or files; what is wrong with it is counted."""

from __future__ import annotations

import difflib
from collections.abc import Collection as Sized
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hybrid_qproj.extras import require
from hybrid_qproj.retrieval.documents import (
    DataError,
    Documents,
    IrDocuments,
    JsonlDocuments,
    MemoryDocuments,
    open_documents,
    read_records,
)
from hybrid_qproj.retrieval.lee import load_lee
from hybrid_qproj.retrieval.trec import read_qrels, read_topics


@dataclass(frozen=True)
class Collection:
    """Documents, queries and judgements.

    Args:
        name: for people.
        documents: a stream.
        queries: query id -> text.
        qrels: query id -> document id -> grade.
        problems: what is wrong with it, counted, for people.
    """

    name: str
    documents: Documents
    queries: dict[str, str]
    qrels: dict[str, dict[str, int]]
    problems: tuple[str, ...] = ()


def load_collection(source: str | Path, split: str = "test", grades: Mapping[int, int] | None = None) -> Collection:
    """Load a collection by name.

    Args:
        source: a folder in BEIR's format (corpus.jsonl, queries.jsonl, qrels/SPLIT.tsv), an id of ir_datasets, or
            ``"lee"`` (each text of the Lee corpus a query for the others) or ``"lee-background"`` (its other texts).
        split: of a BEIR folder.
        grades: replaces grades, where a collection's run backwards: ``{1: 4, 2: 3, 3: 2, 4: 1}``; others stay.

    Returns:
        the collection.

    Raises:
        DataError: there is no such collection, it has no queries, or a file is malformed.
        MissingExtraError: ir_datasets is not installed.
    """
    folder = Path(source)
    if folder.is_dir():
        qrels = read_qrels(folder / "qrels" / f"{split}.tsv")
        return _checked(
            folder.name, JsonlDocuments(folder / "corpus.jsonl"), read_topics(folder / "queries.jsonl"), qrels, grades
        )
    name = str(source)
    if name in ("lee", "lee-background"):
        return _lee(name)
    ir_datasets = require("ir_datasets", "eval", "loading datasets")
    try:
        dataset = ir_datasets.load(name)
    except KeyError:
        near = difflib.get_close_matches(name, list(ir_datasets.registry), n=3)
        raise DataError(
            f"{name!r} is neither a folder nor a dataset of ir_datasets"
            + (f"; did you mean {', '.join(near)}?" if near else "")
        ) from None
    queries = {q.query_id: q.default_text() for q in dataset.queries_iter()} if dataset.has_queries() else {}
    qrels = {}
    for judgement in dataset.qrels_iter() if dataset.has_qrels() else ():
        qrels.setdefault(judgement.query_id, {})[judgement.doc_id] = judgement.relevance
    return _checked(name, IrDocuments(name), queries, qrels, grades)


def _lee(name: str) -> Collection:
    corpus = load_lee()
    texts = corpus.documents if name == "lee" else corpus.background
    documents = {str(number): text for number, text in enumerate(texts)}
    queries = documents if name == "lee" else {}
    return Collection(name, MemoryDocuments(documents), queries, corpus.qrels() if queries else {})


def read_collection(
    documents: Path, queries: Path | None = None, qrels: Path | None = None, grades: Mapping[int, int] | None = None
) -> Collection:
    """Read a collection from loose files.

    Args:
        documents: .tsv or .jsonl.
        queries: topics; None for documents alone.
        qrels: judgements.
        grades: see `load_collection`.

    Returns:
        the collection.

    Raises:
        DataError: a file is missing or malformed.
    """
    stream = open_documents(documents)
    if queries is None:
        return Collection(documents.name, stream, {}, {})
    return _checked(documents.name, stream, read_topics(queries), read_qrels(qrels) if qrels else {}, grades)


def read_judged(path: Path) -> Collection:
    """Read queries with their judged passages: JSONL of qid, query, and passages of docid, rel and text.

    Args:
        path: the file, perhaps with ``.gz``.

    Returns:
        the collection of the passages in it.

    Raises:
        DataError: a malformed line, or no queries.
    """
    texts: dict[str, str] = {}
    queries: dict[str, str] = {}
    qrels: dict[str, dict[str, int]] = {}
    for number, record in read_records(path):
        try:
            query = str(record["qid"])
            grades = {str(p["docid"]): int(p["rel"]) for p in record["passages"]}
            texts.update({str(p["docid"]): str(p["text"]) for p in record["passages"]})
            queries[query], qrels[query] = str(record["query"]), grades
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{path}, line {number}: expected qid, query and passages with docid, rel and text ({error!r})"
            ) from error
    return _checked(path.name, MemoryDocuments(texts), queries, qrels, None)


def _checked(
    name: str,
    documents: Documents,
    queries: dict[str, str],
    qrels: dict[str, dict[str, int]],
    grades: Mapping[int, int] | None,
) -> Collection:
    if not queries:
        raise DataError(f"{name} has no queries")
    if grades:
        qrels = {query: {d: grades.get(g, g) for d, g in judged.items()} for query, judged in qrels.items()}
    problems = [
        *_count(len(queries.keys() - qrels.keys()), f"of {len(queries)} queries have no judgements and are left out"),
        *_count(len(qrels.keys() - queries.keys()), f"of {len(qrels)} judged queries have no text and are left out"),
        *_count(sum(not text.strip() for text in queries.values()), "queries are empty"),
    ]
    return Collection(name, documents, queries, qrels, tuple(problems))


def check_documents(collection: Collection) -> tuple[str, ...]:
    """Read all documents once and count what is wrong with them.

    Args:
        collection: the collection.

    Returns:
        duplicate ids, empty texts, and judged documents that do not exist, each with its count, for people.
    """
    seen: set[str] = set()
    duplicates = empty = 0
    for document in collection.documents:
        duplicates += document.id in seen
        empty += not document.text.strip()
        seen.add(document.id)
    judged = {document for grades in collection.qrels.values() for document in grades}
    return (
        *_count(duplicates, f"of {len(seen) + duplicates} documents have an id that came before"),
        *_count(empty, f"of {len(seen) + duplicates} documents are empty"),
        *missing_texts("judged documents", judged, seen),
    )


def missing_texts(what: str, wanted: Iterable[str], there: Sized[str]) -> tuple[str, ...]:
    """Count documents that are named but have no text.

    Args:
        what: names them in the message.
        wanted: their ids.
        there: ids with text.

    Returns:
        one message, or none.
    """
    names = set(wanted)
    return _count(sum(name not in there for name in names), f"of {len(names)} {what} have no text")


def _count(number: int, what: str) -> tuple[str, ...]:
    return (f"{number} {what}",) if number else ()
