"""What is wrong with documents, queries and judgements but no error: counted, for people."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval.documents import Documents
from hybrid_qproj.retrieval.measures import Qrels


def query_problems(queries: Mapping[str, str], qrels: Qrels) -> tuple[str, ...]:
    """Queries without judgements, judgements without queries, and blank queries, each with its count.

    Args:
        queries: query id -> text.
        qrels: query id -> document id -> grade.
    """
    judged = {query for query, grades in qrels.items() if grades}
    return (
        *_count(len(queries.keys() - judged), f"of {len(queries)} queries have no judgements and are left out"),
        *_count(len(qrels.keys() - queries.keys()), f"of {len(qrels)} judged queries have no text and are left out"),
        *_count(sum(not text.strip() for text in queries.values()), "queries are empty"),
    )


def document_problems(
    name: str, documents: Documents, queries: Mapping[str, str], qrels: Qrels
) -> tuple[tuple[str, ...], dict[str, bool]]:
    """Read all documents once.

    Args:
        name: of the collection, for people.
        documents: the stream.
        queries: query id -> text.
        qrels: query id -> document id -> grade.

    Returns:
        empty texts, and judged documents that do not exist, each with its count; and the queries whose id is a
        document's too, with whether their text is the document's.

    Raises:
        DataError: an id is there twice, or there are no documents.
    """
    judged = {document for grades in qrels.values() for document in grades}
    there: set[str] = set()
    own: dict[str, bool] = {}
    count = empty = 0
    for document in documents:
        count += 1
        empty += not document.text.strip()
        if document.id in judged:
            there.add(document.id)
        query = queries.get(document.id)
        if query is not None:
            own[document.id] = same_text(query, document.text)
    if not count:
        raise DataError(f"{name} has no documents to retrieve from")
    problems = (*_count(empty, f"of {count} documents are empty"), *missing_texts("judged documents", judged, there))
    return problems, own


def same_text(query: str, document: str) -> bool:
    """Whether a query's text is a document's, which may have a title before it."""
    return bool(query.strip()) and document.strip().endswith(query.strip())


def missing_texts(what: str, wanted: Iterable[str], there: Collection[str]) -> tuple[str, ...]:
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
