"""Queries with their judged passages, a query a line: JSONL of qid, query, and passages of docid, rel and text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hybrid_qproj._util.excerpts import show
from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval.records import json_id, keys_of, read_records
from hybrid_qproj.retrieval.rules import check_grade, check_text

SEPARATOR = ":"
"""Between a query's id and a passage's, where passages' ids are local to their query."""


@dataclass
class Judged:
    """What a file of judged passages holds.

    Attributes:
        texts: document id -> text.
        queries: query id -> text.
        qrels: query id -> document id -> grade.
    """

    texts: dict[str, str] = field(default_factory=dict)
    queries: dict[str, str] = field(default_factory=dict)
    qrels: dict[str, dict[str, int]] = field(default_factory=dict)


def is_judged(path: str | Path) -> bool:
    """Whether a JSONL file's first line is a query with passages."""
    _, record = next(read_records(path), (0, {}))
    return "passages" in record and "_id" not in record


def parse_judged(path: str | Path, local_ids: bool = False) -> Judged:
    """Read queries with their judged passages.

    Args:
        path: the file, perhaps with ``.gz``.
        local_ids: whether a docid names a passage of its query only; documents are then called QID:DOCID. Else a
            docid names the same text wherever it stands.

    Returns:
        texts, queries and judgements.

    Raises:
        DataError: a malformed line, a query on two lines, a docid twice in a line, or one docid for two texts.
    """
    found = Judged()
    query_lines: dict[str, int] = {}
    text_lines: dict[str, int] = {}
    for number, record in read_records(path):
        where = f"{path}, line {number}"
        if not {"qid", "query", "passages"} <= record.keys() or not isinstance(record["passages"], list):
            raise DataError(
                f"{where}: expected qid, query and passages with docid, rel and text; got {keys_of(record)}"
            )
        query = json_id(record["qid"], where, "the qid")
        if query in query_lines:
            raise DataError(
                f"{where}: query {show(query)} stands in line {query_lines[query]} too; expected "
                "all its passages in one"
            )
        query_lines[query] = number
        found.queries[query] = check_text(record["query"], f"{where}, query {show(query)}", "the query's text")
        found.qrels[query] = grades = {}
        for passage in record["passages"]:
            docid, grade, text = _passage(passage, where)
            if local_ids:
                docid = f"{query}{SEPARATOR}{docid}"
            if docid in grades:
                raise DataError(f"{where}: document {show(docid)} stands there twice; expected one grade of it")
            grades[docid] = grade
            if found.texts.setdefault(docid, text) != text:
                raise DataError(
                    f"{where}: document {show(docid)} has another text than in line {text_lines[docid]}; give each "
                    "text an id of its own, or set local_ids = true where ids are local to their query"
                )
            if local_ids and docid in text_lines:
                raise DataError(f"{where}: document {show(docid)} is one of line {text_lines[docid]} too; rename one")
            text_lines.setdefault(docid, number)
    return found


def _passage(passage: Any, where: str) -> tuple[str, int, str]:
    if not isinstance(passage, Mapping) or not {"docid", "rel", "text"} <= passage.keys():
        what = keys_of(passage) if isinstance(passage, Mapping) else show(passage)
        raise DataError(f"{where}: a passage with {what}; expected docid, rel and text")
    docid = json_id(passage["docid"], where, "the docid of a passage")
    mine = f"{where}, document {show(docid)}"
    return docid, check_grade(passage["rel"], mine), check_text(passage["text"], mine, "the passage's text")
