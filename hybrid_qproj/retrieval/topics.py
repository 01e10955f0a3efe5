"""Queries: lines of id, tab, text; BEIR's JSONL; or TREC's topics (<top>), of which the title is taken."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from hybrid_qproj._util.excerpts import shorten, show
from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval.document_files import tsv_fields
from hybrid_qproj.retrieval.lines import read_lines
from hybrid_qproj.retrieval.records import keys_of, read_records, record_id
from hybrid_qproj.retrieval.rules import C_SPACE, check_columns, check_text

_FIELDS = "head|num|dom|title|desc|smry|narr|con|fac|def|nat|time|tipo"
# The tags of old topics are not closed: a field ends where the next one begins, which may be any tag on a new line.
_END = re.compile(rf"</?(?:{_FIELDS})>|\n[ \t]*</?[a-z]", re.IGNORECASE)
_BETWEEN = re.compile(r"<!--.*?-->|<[^<>]*>", re.DOTALL)


def read_topics(path: str | Path) -> dict[str, str]:
    """Read queries: lines of id, tab, text; BEIR's JSONL; or TREC's topics (<top>), of which the title is taken.

    Args:
        path: the file, perhaps with ``.gz``.

    Returns:
        query id -> text.

    Raises:
        DataError: a malformed line or topic, no queries at all, or one twice.
    """
    name = Path(path).name.removesuffix(".gz")
    queries: dict[str, str] = {}
    lines: dict[str, int] = {}
    for number, query, text in _jsonl(path) if name.endswith(".jsonl") else _tsv_or_topics(path):
        if query in queries:
            raise DataError(
                f"{path}, line {number}: query {show(query)} stands there twice, first in line {lines[query]}; "
                "expected one text of it"
            )
        queries[query], lines[query] = text, number
    if not queries:
        raise DataError(f"{path} holds no queries")
    return queries


def _jsonl(path: str | Path) -> Iterator[tuple[int, str, str]]:
    for number, record in read_records(path):
        where = f"{path}, line {number}"
        if "text" not in record:
            raise DataError(f"{where}: {keys_of(record)}; expected _id and text")
        query = record_id(record, where)
        yield number, query, check_text(record["text"], f"{where}, query {show(query)}", "its text")


def _tsv_or_topics(path: str | Path) -> Iterator[tuple[int, str, str]]:
    topics = None
    lines = read_lines(path)
    for number, line in lines:
        if topics is None:
            topics = line.lstrip(C_SPACE).startswith("<") and "\t" not in line.strip(C_SPACE)
        if topics:
            yield from _topics(path, [(number, line), *lines])
            return
        yield number, *tsv_fields(line, path, number, "the query")


def _topics(path: str | Path, lines: list[tuple[int, str]]) -> Iterator[tuple[int, str, str]]:
    """Topics of a file: what stands between <top> and </top>; nothing but markup may stand outside."""
    starts = [0, *accumulate(len(line) + 1 for _, line in lines)]
    whole = "\n".join(line for _, line in lines)

    def line_of(place: int) -> int:
        return lines[bisect_right(starts, place, hi=len(lines)) - 1][0]

    def refuse_outside(start: int, stop: int) -> None:
        text = whole[start:stop]
        left = _BETWEEN.sub("", text).strip(C_SPACE)
        if left or "</top>" in text.lower():
            number = line_of(start + len(text) - len(text.lstrip(C_SPACE)))
            raise DataError(f"{path}, line {number}: {shorten(left or '</top>')} outside of a topic; expected <top>")

    place = 0
    for tag in re.finditer(r"<top>(.*?)(</top>|<top>|\Z)", whole, re.IGNORECASE | re.DOTALL):
        number = line_of(tag.start())
        if tag[2].lower() != "</top>":
            raise DataError(f"{path}, line {number}: a topic without its end </top>; the file may be cut off")
        refuse_outside(place, tag.start())
        place = tag.end()
        where = f"{path}, line {number}"
        query, title = (_field(where, tag[1], name) for name in ("num", "title"))
        query = re.sub(r"^Number:", "", query, flags=re.IGNORECASE).strip(C_SPACE)
        title = " ".join(_words(re.sub(r"^Topic:", "", title, flags=re.IGNORECASE)))
        if not query or not title:
            raise DataError(f"{where}: a topic without <num> and <title>")
        yield number, check_columns(query, where), title
    refuse_outside(place, len(whole))


def _field(where: str, topic: str, name: str) -> str:
    found = list(re.finditer(rf"<{name}>", topic, re.IGNORECASE))
    if not found:
        raise DataError(f"{where}: a topic without <num> and <title>")
    if len(found) > 1:
        raise DataError(f"{where}: a topic with <{name}> twice; expected one")
    rest = topic[found[0].end() :]
    end = _END.search(rest)
    return rest[: end.start() if end else None].strip(C_SPACE)


def _words(text: str) -> list[str]:
    return [word for word in re.split(f"[{C_SPACE}]+", text) if word]
