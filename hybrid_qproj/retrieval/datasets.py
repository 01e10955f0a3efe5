"""Datasets of the package ir_datasets: documents, queries and judgements; what goes wrong is told in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from hybrid_qproj._util.excerpts import show
from hybrid_qproj._util.extras import require
from hybrid_qproj._util.suggest import suggestion
from hybrid_qproj.errors import DataError, HybridQprojError, on_one_line
from hybrid_qproj.retrieval.documents import CheckedDocuments, Document
from hybrid_qproj.retrieval.rules import check_grade, check_id, check_text

_LONGEST_REASON = 200
READ_THROUGH = 10**6
"""Documents of a dataset of ir_datasets up to which all ids are read where some documents are wanted."""


def open_dataset(name: str) -> Any:
    """A dataset of ir_datasets.

    Args:
        name: its id.

    Raises:
        DataError: there is none; ids that are nearly the same are named.
        MissingExtraError: ir_datasets is not installed.
    """
    ir_datasets = require("ir_datasets", "eval", "loading datasets")
    try:
        with explained(name, "description"):
            return ir_datasets.load(name)
    except DataError as error:
        if not isinstance(error.__cause__, KeyError):
            raise
        raise DataError(
            f"{show(name)} is no file, and neither a folder nor a dataset of ir_datasets"
            + suggestion(name, ir_datasets.registry, otherwise="; check the spelling", most=3)
        ) from None


@contextmanager
def explained(name: str, what: str) -> Iterator[None]:
    """Turn whatever ir_datasets raises into a `DataError`.

    Args:
        name: the dataset's id.
        what: what is read of it.
    """
    try:
        yield
    except HybridQprojError:
        raise
    except Exception as error:
        # It downloads, unpacks and parses: it may raise anything.
        reason = on_one_line(error)
        reason = reason if len(reason) <= _LONGEST_REASON else reason[: _LONGEST_REASON - 3] + "..."
        raise DataError(
            f"ir_datasets cannot read the {what} of {show(name)} ({type(error).__name__}: {reason}); see "
            "https://ir-datasets.com for how to get them"
        ) from error


def read_all(name: str, what: str, rows: Callable[[], Iterator[Any]]) -> Iterator[Any]:
    """What a dataset streams.

    Args:
        name: the dataset's id.
        what: what that is.
        rows: gives the stream.

    Raises:
        DataError: it cannot be read.
    """
    with explained(name, what):
        yield from rows()


def dataset_queries(name: str, dataset: Any) -> dict[str, str]:
    """A dataset's queries.

    Args:
        name: its id.
        dataset: the dataset.

    Returns:
        query id -> text; none if it has no queries.

    Raises:
        DataError: they cannot be read, or an id is there twice.
    """
    queries: dict[str, str] = {}
    for row in read_all(name, "queries", dataset.queries_iter) if dataset.has_queries() else ():
        query = check_id(row.query_id, name, "the id of a query")
        if query in queries:
            raise DataError(f"{name}: query {show(query)} is there twice; expected one text of it")
        queries[query] = check_text(row.default_text(), f"{name}, query {show(query)}", "its text")
    return queries


def dataset_qrels(name: str, dataset: Any) -> dict[str, dict[str, int]]:
    """A dataset's judgements.

    Args:
        name: its id.
        dataset: the dataset.

    Returns:
        query id -> document id -> grade; none if it has no judgements.

    Raises:
        DataError: they cannot be read, a grade is no whole number, or a document is judged twice for a query.
    """
    qrels: dict[str, dict[str, int]] = {}
    for row in read_all(name, "judgements", dataset.qrels_iter) if dataset.has_qrels() else ():
        query, document = (check_id(part, name, "an id in a judgement") for part in (row.query_id, row.doc_id))
        grades = qrels.setdefault(query, {})
        if document in grades:
            raise DataError(
                f"{name}: document {show(document)} is judged twice for query {show(query)}; a pair has one grade: "
                "write the judgements to a file of your own and settle it there"
            )
        grades[document] = check_grade(row.relevance, f"{name}, query {show(query)}, document {show(document)}")
    return qrels


class IrDocuments(CheckedDocuments):
    """The documents of a dataset of ir_datasets.

    Args:
        dataset_id: such as "cranfield".
    """

    def __init__(self, dataset_id: str) -> None:
        self.dataset_id = self.name = dataset_id

    def _read(self) -> Iterator[tuple[int, Document]]:
        dataset = open_dataset(self.dataset_id)
        if not dataset.has_docs():
            raise DataError(f"{self.dataset_id} of ir_datasets has no documents; expected one with a corpus")
        for number, row in enumerate(read_all(self.dataset_id, "documents", dataset.docs_iter), start=1):
            name = check_id(row.doc_id, self._where(number), "its id")
            yield number, Document(name, self._text(row))

    def _text(self, row: object) -> str:
        name = getattr(row, "doc_id", None)
        return check_text(row.default_text(), f"{self.name}, document {show(name)}", "its text")  # type: ignore[attr-defined]  # a row of ir_datasets

    def get(self, ids: Iterable[str]) -> dict[str, str]:
        """Texts of some documents: of a corpus of more than a million by the dataset's own index, unchecked."""
        wanted = dict.fromkeys(ids)
        dataset = open_dataset(self.dataset_id)
        with explained(self.dataset_id, "documents"):
            if not dataset.has_docs() or (dataset.docs_count() or 0) <= READ_THROUGH:
                return super().get(wanted)
            found = dataset.docs_store().get_many(list(wanted))
        return {name: self._text(found[name]) for name in wanted if name in found}
