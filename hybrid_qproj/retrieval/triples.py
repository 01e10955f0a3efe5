"""Files of training triples: a query, a passage that answers it, and one or more that do not, a line each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hybrid_qproj._util.excerpts import shorten
from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval.lines import read_lines
from hybrid_qproj.retrieval.records import keys_of, read_records
from hybrid_qproj.retrieval.rules import check_text

HEADERS = (
    ("query", "positive", "negative"),
    ("query", "pos", "neg"),
    ("anchor", "positive", "negative"),
)
"""First lines of files that name their columns, which MS MARCO's do not."""


def read_triples(path: str | Path) -> Iterator[tuple[str, str, list[str]]]:
    """Read a file of triples once, line by line.

    Args:
        path: TSV of query, positive, negative; or JSONL (by its suffix) of query, positive, and ``negatives`` (a list)
            or ``negative``; perhaps with ``.gz``.

    Yields:
        the query, a passage that answers it, and passages that do not.

    Raises:
        DataError: a line is malformed, a text is blank, or one passage both answers and does not; the message names
            the line.
    """
    jsonl = Path(path).name.removesuffix(".gz").endswith(".jsonl")
    for number, query, positive, rest in _jsonl(path) if jsonl else _tsv(path):
        if not all(text.strip() for text in (query, positive, *rest)):
            raise DataError(
                f"{path}, line {number}: a text is blank; expected query, positive and negatives, all texts"
            )
        if positive in rest:
            raise DataError(
                f"{path}, line {number}: {shorten(positive)} both answers query {shorten(query)} and does not; a pair "
                "has one grade"
            )
        yield query, positive, rest


def _jsonl(path: str | Path) -> Iterator[tuple[int, str, str, list[str]]]:
    for number, record in read_records(path):
        where = f"{path}, line {number}"
        given = [key for key in ("negatives", "negative") if key in record]
        if not {"query", "positive"} <= record.keys() or len(given) != 1:
            raise DataError(f"{where}: {keys_of(record)}; expected query, positive and negatives, all texts")
        rest = record[given[0]]
        texts = [record["query"], record["positive"], *(rest if isinstance(rest, list) else [rest])]
        query, positive, *rest = (check_text(text, where, "query, positive and negatives, all texts") for text in texts)
        yield number, query, positive, rest


def _tsv(path: str | Path) -> Iterator[tuple[int, str, str, list[str]]]:
    for number, line in read_lines(path):
        fields = line.split("\t")
        if len(fields) != 3:  # noqa: PLR2004 - a triple
            raise DataError(f"{path}, line {number}: {shorten(line)}; expected query, positive, negative and tabs")
        if number == 1 and tuple(field.lower() for field in fields) in HEADERS:
            raise DataError(f"{path}, line 1: {shorten(line)} is a header, and would be read as texts; leave it out")
        yield number, fields[0], fields[1], fields[2:]
