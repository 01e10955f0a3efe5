"""TREC's files: topics, judgements (qrels) and runs; and BEIR's form of the first two."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.retrieval.documents import DataError, read_lines, read_records, shorten
from hybrid_qproj.retrieval.measures import Run

T = TypeVar("T", int, float)


def read_run(path: Path) -> dict[str, dict[str, float]]:
    """Read a run: query, Q0, document, rank, score, tag.

    Args:
        path: the file, perhaps with ``.gz``.

    Returns:
        query id -> document id -> score.

    Raises:
        DataError: a malformed line, a score that is no finite number, or a document twice.
    """
    rows = ((number, line, line.split()) for number, line in read_lines(path))
    return _table(path, ((n, line, [f[0], f[2], f[4]] if len(f) == 6 else []) for n, line, f in rows), float, "score")  # noqa: PLR2004 - TREC's columns


def write_run(path: Path, run: Run, tag: str) -> None:
    """Write a run, best document first; equal scores in the order trec_eval takes them.

    Args:
        path: the file; it appears whole or not at all.
        run: query id -> document id -> score.
        tag: name of the run, without spaces.

    Raises:
        ValueError: the tag or an id has a space in it, or is empty.
    """
    names = [tag, *run, *(document for scores in run.values() for document in scores)]
    wrong = next((name for name in names if len(name.split()) != 1), None)
    if wrong is not None:
        raise ValueError(f"{wrong!r} cannot stand in a TREC run: its columns are separated by spaces")
    lines = []
    for query, scores in run.items():
        order = sorted(scores.items(), key=lambda item: (item[1], item[0]), reverse=True)
        lines += [f"{query} Q0 {name} {rank} {score!r} {tag}\n" for rank, (name, score) in enumerate(order, start=1)]
    write_atomically(path, "".join(lines).encode())


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Read judgements: query, iteration, document, grade; or BEIR's query-id, corpus-id, score with a header.

    Args:
        path: the file, perhaps with ``.gz``.

    Returns:
        query id -> document id -> grade.

    Raises:
        DataError: a malformed line, a grade that is no whole number, or a document judged twice.
    """

    def rows() -> Iterator[tuple[int, str, list[str]]]:
        for number, line in read_lines(path):
            fields = line.split()
            if number == 1 and fields == ["query-id", "corpus-id", "score"]:
                continue
            yield number, line, [fields[0], *fields[-2:]] if len(fields) in (3, 4) else []

    return _table(path, rows(), int, "grade")


def _table(
    path: Path, rows: Iterator[tuple[int, str, list[str]]], kind: Callable[[str], T], what: str
) -> dict[str, dict[str, T]]:
    table: dict[str, dict[str, T]] = {}
    for number, line, fields in rows:
        try:
            query, document, text = fields
            value = kind(text)
        except ValueError:
            raise DataError(
                f"{path}, line {number}: {shorten(line)}; expected TREC's columns with a number as {what}"
            ) from None
        if not math.isfinite(value):
            raise DataError(f"{path}, line {number}: {what} {text} is no finite number")
        known = table.setdefault(query, {})
        if document in known:
            raise DataError(f"{path}, line {number}: document {document!r} stands twice under query {query!r}")
        known[document] = value
    return table


def read_topics(path: Path) -> dict[str, str]:
    """Read queries: lines of id, tab, text; BEIR's JSONL; or TREC's topics (<top>), of which the title is taken.

    Args:
        path: the file, perhaps with ``.gz``.

    Returns:
        query id -> text.

    Raises:
        DataError: a malformed line or topic, no queries at all, or one twice.
    """
    name = path.name.removesuffix(".gz")
    if name.endswith(".jsonl"):
        found = [(number, *_query(path, number, record)) for number, record in read_records(path)]
    else:
        lines = list(read_lines(path))
        found = _topics(path, lines) if any("<top>" in line for _, line in lines) else [_tsv(path, *x) for x in lines]
    queries: dict[str, str] = {}
    for number, query, text in found:
        if query in queries:
            raise DataError(f"{path}, line {number}: query {query!r} stands there twice")
        queries[query] = text
    if not queries:
        raise DataError(f"{path} holds no queries")
    return queries


def _query(path: Path, number: int, record: Mapping[str, object]) -> tuple[str, str]:
    query, text = record.get("_id"), record.get("text")
    if not (isinstance(query, str) and isinstance(text, str)):
        raise DataError(f"{path}, line {number}: keys {sorted(record)}; expected _id and text, both strings")
    return query, text


def _tsv(path: Path, number: int, line: str) -> tuple[int, str, str]:
    query, tab, text = line.partition("\t")
    if not tab or not query:
        raise DataError(f"{path}, line {number}: {shorten(line)}; expected an id, a tab and the query")
    return number, query, text


def _topics(path: Path, lines: list[tuple[int, str]]) -> list[tuple[int, str, str]]:
    found = []
    # The tags of old topics are not closed: a field ends where the next one begins.
    topic = re.compile(
        r"<num>\s*(?:Number:)?\s*(\S+?)\s*(?:</num>)?\s*<title>\s*(?:Topic:)?\s*(.*?)\s*(?:<|$)", re.DOTALL
    )
    start, inside = 0, ""
    for number, line in lines:
        if "<top>" in line:
            start, inside = number, ""
        inside += line + "\n"
        if "</top>" in line:
            match = topic.search(inside)
            if match is None or not match[2]:
                raise DataError(f"{path}, line {start}: a topic without <num> and <title>")
            found.append((start, match[1], " ".join(match[2].split())))
    return found
