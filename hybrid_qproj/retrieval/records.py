"""JSON objects, one a line (JSONL), read strictly: what JSON does not know or leaves open is an error."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hybrid_qproj._util.excerpts import shorten, show
from hybrid_qproj._util.strict_json import no_constant, unique_keys
from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval.lines import Span, read_lines
from hybrid_qproj.retrieval.rules import check_id


def read_records(path: str | Path, span: Span | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """JSON objects of a file, one a line.

    Args:
        path: JSONL, perhaps with ``.gz``.
        span: which lines, or None for all.

    Raises:
        DataError: a line is no JSON object, has a key twice, holds NaN or Infinity, or is nested too deeply.
    """
    for number, line in read_lines(path, span):
        try:
            record = json.loads(line, object_pairs_hook=unique_keys, parse_constant=no_constant)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{path}, line {number}: {shorten(line)}; expected a JSON object ({str(error).splitlines()[0]})"
            ) from error
        if not isinstance(record, dict):
            raise DataError(f"{path}, line {number}: {shorten(line)}; expected a JSON object")
        yield number, record


def keys_of(record: Mapping[str, Any]) -> str:
    """An object's keys, for an error message."""
    return f"keys {sorted(record)}" if len(record) <= 10 else f"{len(record)} keys"  # noqa: PLR2004 - a line's worth


def json_id(value: object, where: str, what: str = "an id") -> str:
    """An id in JSON: a string, or a whole number, which stands for its digits.

    Args:
        value: what was found.
        where: file and line.
        what: what it should be.

    Raises:
        DataError: it is anything else.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise DataError(f"{where}: {show(value)}; expected {what}, a string or a whole number")
    return check_id(value, where, what)


def record_id(record: Mapping[str, Any], where: str) -> str:
    """The id of a document or query: of its key ``_id``, which may be called ``id`` too.

    Args:
        record: the object.
        where: file and line.

    Raises:
        DataError: there is none, or the two differ.
    """
    names = {json_id(record[key], where, f"{key!r}") for key in ("_id", "id") if key in record}
    if not names:
        raise DataError(f"{where}: {keys_of(record)}; expected _id and text")
    if len(names) > 1:
        raise DataError(f"{where}: _id and id differ ({' and '.join(map(show, sorted(names)))}); expected one of them")
    return names.pop()
