"""Documents as a stream, so that a corpus of millions never sits in memory whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from hybrid_qproj._util.excerpts import shorten, show
from hybrid_qproj._util.suggest import suggestion
from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval.datasets import explained, open_dataset, read_all
from hybrid_qproj.retrieval.judged import is_judged, parse_judged
from hybrid_qproj.retrieval.lee import load_lee
from hybrid_qproj.retrieval.lines import Span, is_file, is_folder, read_lines, split_lines
from hybrid_qproj.retrieval.records import keys_of, read_records, record_id
from hybrid_qproj.retrieval.rules import check_id, check_text
from hybrid_qproj.retrieval.unique import ONE_ID, SeenIds, refuse_twice

__all__ = [
    "DataError",
    "Document",
    "Documents",
    "FileDocuments",
    "IrDocuments",
    "JsonlDocuments",
    "MemoryDocuments",
    "Part",
    "Span",
    "TsvDocuments",
    "beir_file",
    "lee_documents",
    "open_documents",
    "open_source",
    "read_lines",
    "read_records",
    "shorten",
    "split_lines",
]

LEE = ("lee", "lee-background")
"""Names of the Lee corpus: its judged texts, and its other ones."""
READ_THROUGH = 10**6
"""Documents of a dataset of ir_datasets up to which all ids are read where some documents are wanted."""


class Document(NamedTuple):
    """A document."""

    id: str
    text: str


class Documents(ABC):
    """A stream of documents that can be read again and again."""

    @abstractmethod
    def __iter__(self) -> Iterator[Document]:
        """Read the documents from the first one."""

    def get(self, ids: Iterable[str]) -> dict[str, str]:
        """Texts of some documents, in one pass over all: a wanted id that is there twice would be seen nowhere else.

        Args:
            ids: the documents wanted.

        Returns:
            id -> text of those that exist, in the order of ``ids``.

        Raises:
            DataError: an id is there twice.
        """
        wanted = dict.fromkeys(ids)
        found: dict[str, str] = {}
        for document in self if wanted else ():
            if document.id in wanted:
                if document.id in found:
                    raise DataError(f"document {show(document.id)} is in the corpus twice; {ONE_ID}")
                found[document.id] = document.text
        return {name: found[name] for name in wanted if name in found}

    def split(self, size: int) -> list[Documents]:
        """Consecutive parts, which different machines can read.

        Args:
            size: documents of each part; the last may hold fewer.

        Returns:
            the parts, in order.

        Raises:
            DataError: the corpus is malformed or empty, or an id is there twice: no part alone would show it.
        """
        count = sum(1 for _ in self)
        return [Part(self, start, start + size) for start in range(0, count, size)]


class Part(Documents):
    """Consecutive documents of a stream.

    Args:
        source: the stream; it is read from its beginning.
        start: first document.
        stop: the document after the last.
    """

    def __init__(self, source: Documents, start: int, stop: int) -> None:
        self.source, self.start, self.stop = source, start, stop

    def __iter__(self) -> Iterator[Document]:
        return islice(iter(self.source), self.start, self.stop)


class CheckedDocuments(Documents):
    """A stream in which each id is an id, each text a text, no id comes twice, and something comes at all."""

    name: str
    """For people."""
    whole = True
    """Whether it is a corpus and no part of one."""

    @abstractmethod
    def _read(self) -> Iterator[tuple[int, Document]]:
        """The documents with their numbers, each checked by itself."""

    def _where(self, number: int) -> str:
        return f"{self.name}, document {number}"

    def __iter__(self) -> Iterator[Document]:
        seen = SeenIds()
        document = None
        for _, document in self._read():
            if codes := seen.add(document.id):
                self._refuse(codes)
            yield document
        if codes := seen.rest():
            self._refuse(codes)
        if document is None and self.whole:
            raise DataError(f"{self.name} has no documents to retrieve from, to encode or to learn from: it is empty")

    def _refuse(self, codes: set[int]) -> None:
        refuse_twice(lambda: ((self._where(number), document.id) for number, document in self._read()), codes, ONE_ID)


class MemoryDocuments(CheckedDocuments):
    """Documents that are in memory already.

    Args:
        texts: id -> text.
        name: for people.
    """

    def __init__(self, texts: Mapping[str, str], name: str = "the corpus in memory") -> None:
        self.texts, self.name = texts, name

    def _read(self) -> Iterator[tuple[int, Document]]:
        for number, item in enumerate(self.texts.items(), start=1):
            yield number, self._check(*item)

    def _check(self, name: str, text: str) -> Document:
        check_id(name, self.name, "the id of a document")
        return Document(name, check_text(text, f"{self.name}, document {show(name)}", "its text"))

    def get(self, ids: Iterable[str]) -> dict[str, str]:
        """Texts of some documents."""
        return {name: self._check(name, self.texts[name]).text for name in dict.fromkeys(ids) if name in self.texts}


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


def beir_file(folder: str | Path, name: str) -> Path | None:
    """A file of a BEIR folder, perhaps compressed; None if it is not there."""
    paths = (Path(folder, name), Path(folder, f"{name}.gz"))
    return next((path for path in paths if is_file(path)), None)


def lee_documents(name: str) -> MemoryDocuments:
    """The texts of the Lee corpus, numbered from 0.

    Args:
        name: ``"lee"``, the judged ones, or ``"lee-background"``, the others.
    """
    corpus = load_lee()
    texts = corpus.documents if name == "lee" else corpus.background
    return MemoryDocuments({str(number): text for number, text in enumerate(texts)}, name)


def open_source(name: str | Path, local_ids: bool = False) -> Documents:
    """Documents by a name, whatever it names.

    Args:
        name: a file of documents (.tsv or .jsonl, perhaps with .gz), or of judged passages (.jsonl, see
            `hybrid_qproj.retrieval.collection.read_judged`); a folder in BEIR's format; ``"lee"`` or
            ``"lee-background"``; or an id of ir_datasets.
        local_ids: see `read_judged`.

    Returns:
        the documents, the first of which could be read.

    Raises:
        DataError: there is no such thing, a file has another suffix or is malformed, or no document is in it.
    """
    documents = _named(check_name(str(name)), local_ids)
    # Before anybody makes a folder for what comes of it.
    next(iter(documents))
    return documents


def check_name(name: str) -> str:
    """The name of a collection: a blank one would be the working directory's.

    Raises:
        DataError: it is blank.
    """
    if not name.strip():
        raise DataError("the name of a collection is blank; expected a file, a folder, or an id of ir_datasets")
    return name


def _named(name: str, local_ids: bool) -> Documents:
    if is_file(name):
        if Path(name).name.removesuffix(".gz").endswith(".jsonl") and is_judged(name):
            return MemoryDocuments(parse_judged(name, local_ids).texts, name)
        return open_documents(name)
    if corpus := beir_file(name, "corpus.jsonl"):
        return JsonlDocuments(corpus)
    if name in LEE:
        return lee_documents(name)
    if is_folder(name):
        raise DataError(f"{name} is a folder without corpus.jsonl; expected one in BEIR's format, or a file")
    if looks_like_file(name):
        raise DataError(f"no file {show(name)}{_near(name)}; expected documents as .tsv or .jsonl, perhaps with .gz")
    return IrDocuments(name)


SUFFIXES = (".tsv", ".jsonl", ".json", ".csv", ".txt", ".xml", ".trec", ".topics", ".gz", ".bz2", ".xz", ".zip")
"""How names of files end."""


def looks_like_file(name: str) -> bool:
    """Whether a name that is no file was meant for one: by its suffix, or because it starts like a path."""
    return name.lower().rstrip().endswith(SUFFIXES) or name.startswith(("/", "./", "../", "~/", ".\\", "..\\"))


def _near(name: str) -> str:
    """Files in the same folder whose names are nearly the same."""
    folder = Path(name).parent
    names = [path.name for path in islice(folder.iterdir(), 10_000)] if is_folder(folder) else []
    return suggestion(Path(name).name, names, most=3)
