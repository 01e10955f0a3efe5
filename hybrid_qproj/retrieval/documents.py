"""Documents as a stream, so that a corpus of millions never sits in memory whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from hybrid_qproj._util.excerpts import show
from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval.rules import check_id, check_text
from hybrid_qproj.retrieval.unique import ONE_ID, SeenIds, refuse_twice


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
