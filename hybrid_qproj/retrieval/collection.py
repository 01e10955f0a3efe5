"""A collection: documents, queries and judgements, from ir_datasets or files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hybrid_qproj._util.excerpts import show
from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval.datasets import IrDocuments, dataset_qrels, dataset_queries, open_dataset
from hybrid_qproj.retrieval.document_files import JsonlDocuments, open_documents
from hybrid_qproj.retrieval.documents import Documents, MemoryDocuments
from hybrid_qproj.retrieval.judged import parse_judged
from hybrid_qproj.retrieval.lines import is_folder
from hybrid_qproj.retrieval.packaged import PACKAGED, ranks_itself
from hybrid_qproj.retrieval.problems import document_problems, missing_texts, query_problems, same_text
from hybrid_qproj.retrieval.rules import check_grade, check_id, check_text
from hybrid_qproj.retrieval.sources import beir_file, check_name
from hybrid_qproj.retrieval.topics import read_topics
from hybrid_qproj.retrieval.trec import read_qrels

# missing_texts and same_text stand in problems.py, and can be imported from here as ever.
__all__ = [
    "Collection",
    "check_documents",
    "drops_self",
    "inspect_documents",
    "load_collection",
    "missing_texts",
    "read_collection",
    "read_judged",
    "same_text",
]


@dataclass(frozen=True)
class Collection:
    """Documents, queries and judgements.

    Args:
        name: for people.
        documents: a stream.
        queries: query id -> text.
        qrels: query id -> document id -> grade.
        problems: what is wrong with it, counted, for people.
        drop_self: whether its rankings leave out the document that has the query's own id unless one says otherwise,
            as those of BEIR do.

    Raises:
        DataError: an id is blank, a text no string, or a grade no whole number.
    """

    name: str
    documents: Documents
    queries: dict[str, str]
    qrels: dict[str, dict[str, int]]
    problems: tuple[str, ...] = ()
    drop_self: bool = False

    def __post_init__(self) -> None:
        for query, text in self.queries.items():
            check_id(query, self.name, "the id of a query")
            check_text(text, f"{self.name}, query {show(query)}", "its text")
        for query, grades in self.qrels.items():
            where = f"{self.name}, judgements of query {show(query)}"
            check_id(query, where, "the id of a query")
            for document, grade in grades.items():
                check_grade(grade, f"{where}, document {show(check_id(document, where))}")


def drops_self(source: str | Path | None) -> bool:
    """Whether a collection's rankings leave out the document that has the query's own id unless one says otherwise.

    So do BEIR's, whatever the collection: where queries are documents of the corpus (ArguAna), a query would find
    itself. So do those of packaged ones.

    Args:
        source: name of a collection, see `load_collection`; None for loose files, which say nothing of that.
    """
    if source is None:
        return False
    return beir_file(source, "corpus.jsonl") is not None or str(source).startswith("beir/") or ranks_itself(str(source))


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
    name = check_name(str(source))
    if corpus := beir_file(source, "corpus.jsonl"):
        folder = Path(source)
        queries = read_topics(_needed(folder, "queries.jsonl"))
        qrels = read_qrels(_needed(folder, f"qrels/{split}.tsv"))
        return _checked(folder.name or name, JsonlDocuments(corpus), queries, qrels, grades, drop_self=True)
    if row := PACKAGED.get(name):
        texts = row.numbered()
        qrels = {query: dict(grades) for query, grades in row.qrels().items()} if row.qrels else {}
        return Collection(
            name, MemoryDocuments(texts, name), texts if qrels else {}, qrels, drop_self=ranks_itself(name)
        )
    if is_folder(source):
        raise DataError(f"{name} is a folder without corpus.jsonl; expected one in BEIR's format")
    dataset = open_dataset(name)
    return _checked(
        name,
        IrDocuments(name),
        dataset_queries(name, dataset),
        dataset_qrels(name, dataset),
        grades,
        drop_self=drops_self(name),
    )


def _needed(folder: Path, name: str) -> Path:
    path = beir_file(folder, name)
    if path is None:
        there = sorted(path.name for path in (folder / name).parent.glob("*.tsv*")) if "/" in name else []
        raise DataError(f"no file {str(folder / name)!r}" + (f"; there are {', '.join(there)}" if there else ""))
    return path


def read_collection(
    documents: str | Path,
    queries: str | Path | None = None,
    qrels: str | Path | None = None,
    grades: Mapping[int, int] | None = None,
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
        DataError: a file is missing or malformed, or there are judgements without queries.
    """
    stream, name = open_documents(documents), Path(documents).name
    if queries is None:
        if qrels is not None:
            raise DataError(f"{qrels} judges queries, of which there is no file; give both or none")
        return Collection(name, stream, {}, {})
    return _checked(name, stream, read_topics(queries), read_qrels(qrels) if qrels else {}, grades)


def read_judged(path: str | Path, grades: Mapping[int, int] | None = None, local_ids: bool = False) -> Collection:
    """Read queries with their judged passages: JSONL of qid, query, and passages of docid, rel and text.

    Args:
        path: the file, perhaps with ``.gz``.
        grades: see `load_collection`.
        local_ids: whether a docid names a passage of its query only; documents are then called QID:DOCID. Else a
            docid names the same text wherever it stands.

    Returns:
        the collection of the passages in it.

    Raises:
        DataError: a malformed line, a query on two lines, a docid twice in a line, one docid for two texts, or no
            queries.
    """
    found, name = parse_judged(path, local_ids), Path(path).name
    return _checked(name, MemoryDocuments(found.texts, name), found.queries, found.qrels, grades)


def _checked(
    name: str,
    documents: Documents,
    queries: dict[str, str],
    qrels: dict[str, dict[str, int]],
    grades: Mapping[int, int] | None,
    drop_self: bool = False,
) -> Collection:
    if not queries:
        raise DataError(f"{name} has no queries")
    if grades:
        for grade in (*grades, *grades.values()):
            check_grade(grade, f"{name}, grades to replace")
        qrels = {query: {d: grades.get(g, g) for d, g in judged.items()} for query, judged in qrels.items()}
    return Collection(name, documents, queries, qrels, query_problems(queries, qrels), drop_self)


def check_documents(collection: Collection) -> tuple[str, ...]:
    """Read all documents once and count what is wrong with them.

    Args:
        collection: the collection.

    Returns:
        empty texts, and judged documents that do not exist, each with its count, for people.

    Raises:
        DataError: an id is there twice, or there are no documents.
    """
    return inspect_documents(collection)[0]


def inspect_documents(collection: Collection) -> tuple[tuple[str, ...], dict[str, bool]]:
    """Read all documents once.

    Args:
        collection: the collection.

    Returns:
        what is wrong with them, see `check_documents`; and the queries whose id is a document's too, with whether their
        text is the document's.

    Raises:
        DataError: an id is there twice, or there are no documents.
    """
    return document_problems(collection.name, collection.documents, collection.queries, collection.qrels)
