"""Text files line by line: UTF-8, perhaps compressed, in lines that a line feed ends; and parts of them."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from hybrid_qproj.errors import DataError

LONGEST_LINE = 1 << 26
"""Bytes of a line: a file that has longer ones is none of texts, or a trap for memory."""

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_GZIP = b"\x1f\x8b"


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


def is_file(name: str | Path) -> bool:
    """Whether there is a file of this name; a long text is none."""
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False


def is_folder(name: str | Path) -> bool:
    """Whether there is a folder of this name."""
    try:
        return Path(name).is_dir()
    except (OSError, ValueError):
        return False


def read_lines(path: str | Path, span: Span | None = None) -> Iterator[tuple[int, str]]:
    """Lines of a text file that are not empty, numbered from 1.

    A line ends at a line feed, perhaps after a carriage return, and at no other character. A byte-order mark at
    the beginning is left out.

    Args:
        path: UTF-8, perhaps compressed by gzip (``.gz``).
        span: which lines, or None for all.

    Raises:
        DataError: the file is missing, is cut off, is no UTF-8, or has a line of more than 64 MiB.
    """
    return ((number, text) for number, _, text in _lines(Path(path), span) if text)


def split_lines(path: str | Path, size: int) -> list[Span]:
    """Consecutive parts of a text file.

    Args:
        path: not compressed.
        size: lines of each part that are not empty; the last may hold fewer.

    Returns:
        the parts, in order.

    Raises:
        DataError: see `read_lines`; or size is not positive.
    """
    if size < 1:
        raise DataError(f"parts of {size} lines: expected at least 1")
    spans, lines = [], 0
    begin, place = (0, 1), 0
    for number, place, text in _lines(Path(path), None):
        lines += bool(text)
        if lines == size:
            spans.append(Span(begin[0], place, begin[1]))
            begin, lines = (place, number + 1), 0
    return [*spans, Span(begin[0], place, begin[1])] if lines else spans


def _lines(path: Path, span: Span | None) -> Iterator[tuple[int, int, str]]:
    """Number of each line, the byte after it, and its text."""
    place, stop, first = span or (0, None, 1)
    number = first - 1
    try:
        with gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb") as file:
            file.seek(place)
            while (stop is None or place < stop) and (line := file.readline(LONGEST_LINE + 1)):
                number += 1
                if len(line) > LONGEST_LINE:
                    raise DataError(
                        f"{path}, line {number}: longer than {LONGEST_LINE:,} bytes; expected lines of text"
                    )
                content = _begin(path, line, file) if not place else line
                place += len(line)
                content = content.removesuffix(b"\n").removesuffix(b"\r")
                try:
                    yield number, place, content.decode("utf-8")
                except UnicodeDecodeError as error:
                    raise DataError(
                        f"{path}, line {number}: not UTF-8 ({error.reason}); convert the file to UTF-8"
                    ) from error
    except FileNotFoundError:
        raise DataError(f"no file {str(path)!r}") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is cut off or no gzip file after line {number}: {error}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{str(path)!r} cannot be read: {error}") from error  # a NUL in the name


def _begin(path: Path, line: bytes, file: BufferedReader | gzip.GzipFile) -> bytes:
    """The first line without its byte-order mark, if it is one of UTF-8."""
    if line.startswith(_GZIP):
        raise DataError(f"{path} is compressed by gzip; let its name end in .gz")
    if line.startswith(_UTF_16) or b"\0" in line[:1024]:
        raise DataError(f"{path} is UTF-16 or no text at all; convert it to UTF-8")
    if b"\r" in line.rstrip(b"\r\n") and not file.peek(1):
        raise DataError(f"{path} separates lines by carriage returns alone; expected line feeds: convert the file")
    return line.removeprefix(codecs.BOM_UTF8)
