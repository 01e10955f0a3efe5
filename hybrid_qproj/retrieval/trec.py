"""TREC's files: judgements (qrels) and runs; BEIR's form of the former; for topics see `read_topics`."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from hybrid_qproj._util.excerpts import shorten, show
from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval.lines import read_lines
from hybrid_qproj.retrieval.measures import Run
from hybrid_qproj.retrieval.ranking import trec_order
from hybrid_qproj.retrieval.rules import C_SPACE, check_columns, check_id, check_score, parse_grade, parse_score
from hybrid_qproj.retrieval.topics import read_topics

__all__ = ["read_qrels", "read_run", "read_topics", "write_run"]

BEIR_HEADER = "query-id\tcorpus-id\tscore"


def read_run(path: str | Path) -> dict[str, dict[str, float]]:
    """Read a run: query, Q0, document, rank, score, tag, separated by white space of ASCII.

    Args:
        path: the file, perhaps with ``.gz``.

    Returns:
        query id -> document id -> score.

    Raises:
        DataError: a malformed line, a score that is no finite number of single precision, or a document twice.
    """
    run: dict[str, dict[str, float]] = {}
    for number, line in read_lines(path):
        where = f"{path}, line {number}"
        fields = _columns(line)
        if len(fields) != 6:  # noqa: PLR2004 - TREC's columns
            raise DataError(f"{where}: {shorten(line)}; expected TREC's columns: query, Q0, document, rank, score, tag")
        query, _, document, _, score, _ = fields
        scores = run.setdefault(check_id(query, where), {})
        value = parse_score(score, where)
        _once(document, scores, query, where)
        scores[check_id(document, where)] = value
    return run


def write_run(path: str | Path, run: Run, tag: str) -> None:
    """Write a run in the order in which trec_eval takes it, which does not look at the ranks.

    That is: by score in single precision, equal scores by descending id. Scores are written to the last digit.

    Args:
        path: the file; it appears whole or not at all.
        run: query id -> document id -> score. A query without documents leaves no line.
        tag: name of the run.

    Raises:
        DataError: the tag or an id is blank or has white space in it, or a score is no finite number of single
            precision.
    """
    lines = []
    check_columns(tag, "the run's tag")
    for query, scores in run.items():
        check_columns(query, "a query's id")
        for document, score in scores.items():
            check_score(score, f"query {query}, document {show(check_columns(document, f'query {query}'))}")
        lines += [
            f"{query} Q0 {name} {rank} {float(scores[name])!r} {tag}\n"
            for rank, name in enumerate(trec_order(scores), start=1)
        ]
    write_atomically(Path(path), "".join(lines).encode())


def read_qrels(path: str | Path) -> dict[str, dict[str, int]]:
    """Read judgements: query, iteration, document, grade, separated by white space of ASCII; or BEIR's.

    BEIR's begin with the line query-id, corpus-id, score, and are separated by tabs: ids may have spaces, and
    those with quotation marks are quoted as in CSV.

    Args:
        path: the file, perhaps with ``.gz``.

    Returns:
        query id -> document id -> grade.

    Raises:
        DataError: a malformed line, a grade that is no whole number, or a document judged twice.
    """
    qrels: dict[str, dict[str, int]] = {}
    for number, query, document, grade in _judgements(path):
        where = f"{path}, line {number}"
        grades = qrels.setdefault(check_id(query, where, "the id of a query"), {})
        value = parse_grade(grade, where)
        _once(document, grades, query, where)
        grades[check_id(document, where, "the id of a document")] = value
    return qrels


def _judgements(path: str | Path) -> Iterator[tuple[int, str, str, str]]:
    beir = None
    for number, line in read_lines(path):
        if beir is None:
            beir = line == BEIR_HEADER
            if beir:
                continue
        fields = _beir_fields(line, f"{path}, line {number}") if beir else _columns(line)
        if len(fields) != (3 if beir else 4):
            expected = (
                "query, document and grade with tabs between"
                if beir
                else "TREC's columns: query, iteration, document, grade; or BEIR's, which begin with the line "
                "query-id, corpus-id, score"
            )
            raise DataError(f"{path}, line {number}: {shorten(line)}; expected {expected}")
        yield number, fields[0], fields[-2], fields[-1]


def _beir_fields(line: str, where: str) -> list[str]:
    """Fields of a line as BEIR reads and writes them: those with quotation marks at their ends are quoted."""
    try:
        return next(csv.reader([line], delimiter="\t", strict=True))
    except csv.Error as error:
        raise DataError(f"{where}: {shorten(line)}; expected tabs and fields quoted as in CSV ({error})") from None


def _columns(line: str) -> list[str]:
    return [field for field in re.split(f"[{C_SPACE}]+", line) if field]


def _once(document: str, known: dict[str, int] | dict[str, float], query: str, where: str) -> None:
    if document in known:
        raise DataError(f"{where}: document {show(document)} stands twice under query {show(query)}; expected once")
