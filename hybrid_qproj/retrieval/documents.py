"""Documents as a stream, so that a corpus of millions never sits in memory whole."""

from __future__ import annotations

import gzip
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from hybrid_qproj.errors import HybridQprojError
from hybrid_qproj.extras import require


class DataError(HybridQprojError, ValueError):
    """Data that cannot be read, or from which nothing is left."""


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
        """Texts of some documents, in one pass that stops when all are found.

        Args:
            ids: the documents wanted.

        Returns:
            id -> text of those that exist, in the order of ``ids``.
        """
        wanted = dict.fromkeys(ids)
        missing = set(wanted)
        found = {}
        if missing:
            for document in self:
                if document.id in missing:
                    found[document.id] = document.text
                    missing.remove(document.id)
                    if not missing:
                        break
        return {name: found[name] for name in wanted if name in found}

    def split(self, size: int) -> list[Documents]:
        """Consecutive parts, which different machines can read.

        Args:
            size: documents of each part; the last may hold fewer.

        Returns:
            the parts, in order.
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


class MemoryDocuments(Documents):
    """Documents that are in memory already.

    Args:
        texts: id -> text.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts

    def __iter__(self) -> Iterator[Document]:
        return (Document(*item) for item in self.texts.items())

    def get(self, ids: Iterable[str]) -> dict[str, str]:
        """Texts of some documents."""
        return {name: self.texts[name] for name in dict.fromkeys(ids) if name in self.texts}


class Span(NamedTuple):
    """Consecutive lines of a file.

    Attributes:
        start: first byte.
        stop: the byte after the last.
        line: number of the first line.
    """

    start: int
    stop: int
    line: int


class FileDocuments(Documents):
    """Documents of a file, one a line.

    Args:
        path: the file; ``.gz`` too.
        span: which lines; None for all. Not for ``.gz``.
    """

    def __init__(self, path: Path, span: Span | None = None) -> None:
        self.path, self.span = path, span

    def split(self, size: int) -> list[Documents]:
        """Consecutive parts; those of a plain file are read without reading what is before them."""
        if self.path.name.endswith(".gz") or self.span:
            return super().split(size)
        return [type(self)(self.path, span) for span in split_lines(self.path, size)]


class TsvDocuments(FileDocuments):
    """Lines of id, tab, text; ``.gz`` too."""

    def __iter__(self) -> Iterator[Document]:
        for number, line in read_lines(self.path, self.span):
            name, tab, text = line.partition("\t")
            if not tab or not name:
                raise DataError(f"{self.path}, line {number}: {shorten(line)}; expected an id, a tab and the text")
            yield Document(name, text)


class JsonlDocuments(FileDocuments):
    """A corpus in the format of BEIR: a JSON object a line with _id, text and perhaps title; ``.gz`` too."""

    def __iter__(self) -> Iterator[Document]:
        for number, record in read_records(self.path, self.span):
            name, text, title = record.get("_id"), record.get("text"), record.get("title") or ""
            if not (isinstance(name, str) and isinstance(text, str) and isinstance(title, str)):
                raise DataError(
                    f"{self.path}, line {number}: keys {sorted(record)}; expected _id and text, both strings"
                )
            yield Document(name, f"{title} {text}".strip())


class IrDocuments(Documents):
    """The documents of a dataset of ir_datasets.

    Args:
        dataset_id: such as "cranfield".
    """

    def __init__(self, dataset_id: str) -> None:
        self.dataset_id = dataset_id

    def _dataset(self) -> Any:
        return require("ir_datasets", "eval", "loading datasets").load(self.dataset_id)

    def __iter__(self) -> Iterator[Document]:
        return (Document(document.doc_id, document.default_text()) for document in self._dataset().docs_iter())

    def get(self, ids: Iterable[str]) -> dict[str, str]:
        """Texts of some documents, by the dataset's own index."""
        wanted = dict.fromkeys(ids)
        found = self._dataset().docs_store().get_many(list(wanted))
        return {name: found[name].default_text() for name in wanted if name in found}


def open_documents(path: Path) -> Documents:
    """Documents of a file, by its suffix.

    Args:
        path: .tsv or .jsonl, perhaps with .gz.

    Raises:
        DataError: another suffix.
    """
    kinds: dict[str, type[TsvDocuments | JsonlDocuments]] = {".tsv": TsvDocuments, ".jsonl": JsonlDocuments}
    suffix = Path(path.name.removesuffix(".gz")).suffix
    if suffix not in kinds:
        raise DataError(f"{path}: expected documents as .tsv or .jsonl, perhaps with .gz")
    return kinds[suffix](path)


def open_source(name: str) -> Documents:
    """Documents by a name: of a file if there is one, else of a dataset of ir_datasets.

    Args:
        name: path, or id of ir_datasets.

    Raises:
        DataError: a file of another suffix.
    """
    return open_documents(Path(name)) if Path(name).is_file() else IrDocuments(name)


def read_lines(path: Path, span: Span | None = None) -> Iterator[tuple[int, str]]:
    """Lines of a text file that are not empty, numbered from 1.

    Args:
        path: UTF-8, perhaps compressed by gzip (``.gz``).
        span: which lines, or None for all.

    Raises:
        DataError: the file is missing, is cut off, or is no UTF-8.
    """
    number = 0
    start, stop, first = span or (0, None, 1)
    try:
        with gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb") as file:
            file.seek(start)
            for number, line in enumerate(file, start=first):
                if stop is not None and start >= stop:
                    return
                start += len(line)
                text = line.decode("utf-8").rstrip("\r\n")
                if text:
                    yield number, text
    except FileNotFoundError:
        raise DataError(f"no file {str(path)!r}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}, line {number}: not UTF-8 ({error.reason}); convert the file") from error
    except (EOFError, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is cut off or no gzip file after line {number}: {error}") from error


def split_lines(path: Path, size: int) -> list[Span]:
    """Consecutive parts of a text file.

    Args:
        path: not compressed.
        size: lines of each part that are not empty; the last may hold fewer.

    Returns:
        the parts, in order.

    Raises:
        DataError: the file is missing.
    """
    spans, lines = [], 0
    begin, place = (0, 1), 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                place += len(line)
                lines += bool(line.rstrip(b"\r\n"))
                if lines == size:
                    spans.append(Span(begin[0], place, begin[1]))
                    begin, lines = (place, number + 1), 0
    except FileNotFoundError:
        raise DataError(f"no file {str(path)!r}") from None
    return [*spans, Span(begin[0], place, begin[1])] if lines else spans


def read_records(path: Path, span: Span | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """JSON objects of a file, one a line.

    Args:
        path: JSONL, perhaps with ``.gz``.
        span: which lines, or None for all.

    Raises:
        DataError: a line is no JSON object.
    """
    for number, line in read_lines(path, span):
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}, line {number}: {shorten(line)}; expected a JSON object ({error})") from error
        if not isinstance(record, dict):
            raise DataError(f"{path}, line {number}: {shorten(line)}; expected a JSON object")
        yield number, record


def shorten(line: str, width: int = 60) -> str:
    """A line for an error message."""
    return repr(line if len(line) <= width else line[: width - 3] + "...")
