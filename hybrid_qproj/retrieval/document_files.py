"""Documents of files: a line each, TSV or BEIR's JSONL, which different machines can read parts of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hybrid_qproj._util.excerpts import shorten, show
from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval.documents import CheckedDocuments, Document, Documents
from hybrid_qproj.retrieval.lines import Span, read_lines, split_lines
from hybrid_qproj.retrieval.records import keys_of, read_records, record_id
from hybrid_qproj.retrieval.rules import check_id, check_text


class FileDocuments(CheckedDocuments):
    """Documents of a file, one a line.

    Args:
        path: the file; ``.gz`` too.
        span: which lines; None for all. Not for ``.gz``.
    """

    def __init__(self, path: str | Path, span: Span | None = None) -> None:
        self.path, self.span = Path(path), span
        self.name, self.whole = str(path), span is None

    def _where(self, number: int) -> str:
        return f"{self.name}, line {number}"

    def split(self, size: int) -> list[Documents]:
        """Consecutive parts; those of a plain file are read without reading what is before them."""
        if self.path.name.endswith(".gz") or self.span:
            return super().split(size)
        spans = split_lines(self.path, size)
        # What only the whole shows.
        for _ in self:
            pass
        return [type(self)(self.path, span) for span in spans]


class TsvDocuments(FileDocuments):
    """Lines of id, tab, text; ``.gz`` too."""

    def _read(self) -> Iterator[tuple[int, Document]]:
        for number, line in read_lines(self.path, self.span):
            yield number, Document(*tsv_fields(line, self.name, number, "the text"))


class JsonlDocuments(FileDocuments):
    """A corpus in the format of BEIR; ``.gz`` too.

    A line is a JSON object with ``_id`` (or ``id``; a string or a whole number), ``text``, and perhaps ``title``
    (null is none). Title and text are joined as BEIR joins them.
    """

    def _read(self) -> Iterator[tuple[int, Document]]:
        for number, record in read_records(self.path, self.span):
            where = self._where(number)
            if "text" not in record:
                raise DataError(f"{where}: {keys_of(record)}; expected _id and text")
            name = record_id(record, where)
            where = f"{where}, document {show(name)}"
            title = "" if record.get("title") is None else check_text(record["title"], where, "its title")
            yield number, Document(name, f"{title} {check_text(record['text'], where, 'its text')}".strip())


HEADER_IDS = (
    *("id", "_id", "#id", "qid", "query_id", "query-id", "queryid", "topic_id"),
    *("docid", "doc_id", "doc-id", "docno", "pid", "passage_id", "corpus_id", "corpus-id"),
)
HEADER_TEXTS = (
    *("text", "query", "title", "topic", "question", "query_text", "document", "passage", "contents", "content"),
    *("body", "doc_text", "title\ttext", "text\ttitle"),
)
"""How columns are called in files that begin with a header, which TREC's and MS MARCO's do not."""


def tsv_fields(line: str, path: str | Path, number: int, what: str) -> tuple[str, str]:
    """Id and text of a line; the text may hold further tabs.

    Args:
        line: the line.
        path: of the file.
        number: of the line.
        what: what the text is.

    Raises:
        DataError: there is no tab, or no id before it, or the line is a JSON object or a header.
    """
    if line.startswith("{") and line.endswith("}"):
        raise DataError(
            f"{path}, line {number}: {shorten(line)}; expected lines with tabs, or a name that ends in .jsonl"
        )
    name, tab, text = line.partition("\t")
    if not tab or not name:
        raise DataError(f"{path}, line {number}: {shorten(line)}; expected an id, a tab and {what}")
    if number == 1 and name.lower() in HEADER_IDS and text.lower() in HEADER_TEXTS:
        raise DataError(
            f"{path}, line 1: {shorten(line)} is a header, and would be read as an id and {what}; leave it out"
        )
    return check_id(name, f"{path}, line {number}"), text


def open_documents(path: str | Path) -> Documents:
    """Documents of a file, by its suffix.

    Args:
        path: .tsv or .jsonl, perhaps with .gz.

    Raises:
        DataError: another suffix.
    """
    kinds: dict[str, type[TsvDocuments | JsonlDocuments]] = {".tsv": TsvDocuments, ".jsonl": JsonlDocuments}
    suffix = Path(Path(path).name.removesuffix(".gz")).suffix
    if suffix not in kinds:
        raise DataError(f"{path}: expected documents as .tsv or .jsonl, perhaps with .gz")
    return kinds[suffix](path)
