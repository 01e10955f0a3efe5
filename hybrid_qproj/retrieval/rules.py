"""What holds of ids, texts, grades and scores, whatever format they come in."""

from __future__ import annotations

import math
import re
import struct
from numbers import Integral, Real

from hybrid_qproj._util.excerpts import shorten, show
from hybrid_qproj.errors import DataError

LARGEST_GRADE = 10**6
"""Grades lie in [-LARGEST_GRADE, LARGEST_GRADE]: trec_eval keeps a counter for each, and wraps those above 32 bits."""
LARGEST_SCORE = 3.4028234663852886e38
"""Greatest number of single precision, in which trec_eval compares scores: beyond it all would be equal."""
BYTE_ORDER_MARK = "\ufeff"
C_SPACE = " \t\n\v\f\r"
"""What separates the columns of TREC's files: C's isspace, and none of Unicode's other white space."""

_DIGITS = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def check_text(value: object, where: str, what: str = "a text") -> str:
    """A text that can be encoded.

    Args:
        value: what was found.
        where: file and line, or what else tells people where it stands.
        what: what it should be.

    Returns:
        the text.

    Raises:
        DataError: it is no string, or holds half of a surrogate pair, which no tokenizer takes.
    """
    if not isinstance(value, str):
        raise DataError(f"{where}: {show(value)}; expected {what}, a string")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise DataError(
                f"{where}: character {error.start + 1} of {what} is {value[error.start]!r}, half of a surrogate pair; "
                "expected Unicode text: write the file again, or leave the character out"
            ) from None
    return value


def check_id(value: object, where: str, what: str = "an id") -> str:
    """An id: a text that is not blank, begins with no byte-order mark and holds no NUL, where C's tools would end it.

    Args:
        value: what was found.
        where: see `check_text`.
        what: what it should be.

    Returns:
        the id, as it stands there: spaces at its ends belong to it.

    Raises:
        DataError: it is none.
    """
    name = check_text(value, where, what)
    if name.startswith(BYTE_ORDER_MARK):
        raise DataError(
            f"{where}: {what} {shorten(name)} begins with a byte-order mark, which belongs at the beginning of a file "
            "alone; were files joined? Take it out"
        )
    if not name or name.isspace() or "\0" in name:
        raise DataError(f"{where}: {show(name)}; expected {what} that is not blank and holds no NUL")
    return name


def check_grade(value: object, where: str) -> int:
    """A grade given as a number.

    Args:
        value: what was found.
        where: see `check_text`.

    Returns:
        the grade.

    Raises:
        DataError: it is no whole number (``True`` and ``1.0`` are none either), or too large.
    """
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise DataError(f"{where}: grade {show(value)}; expected a whole number such as 1")
    grade = int(value)
    if abs(grade) > LARGEST_GRADE:
        raise DataError(f"{where}: grade {show(value)}; expected one of at most {LARGEST_GRADE:,}")
    return grade


def parse_grade(text: str, where: str) -> int:
    """A grade given as text: digits, perhaps with a sign.

    Args:
        text: what was found.
        where: see `check_text`.

    Returns:
        the grade.

    Raises:
        DataError: it is anything else, or too large.
    """
    if not _DIGITS.fullmatch(text):
        raise DataError(f"{where}: grade {shorten(text)}; expected a whole number such as 1, in digits")
    digits = text.lstrip("+-").lstrip("0")
    if len(digits) > len(str(LARGEST_GRADE)):
        raise DataError(f"{where}: grade {shorten(text)}; expected one of at most {LARGEST_GRADE:,}")
    return check_grade(int(text), where)


def check_score(value: object, where: str) -> float:
    """A score given as a number.

    Args:
        value: what was found.
        where: see `check_text`.

    Returns:
        the score.

    Raises:
        DataError: it is no finite number of single precision.
    """
    if not isinstance(value, Real) or isinstance(value, bool):
        raise DataError(f"{where}: score {show(value)}; expected a number")
    try:
        score = float(value)
    except OverflowError:
        score = math.inf
    if not math.isfinite(score):
        raise DataError(f"{where}: score {show(value)} is no finite number; a ranking needs one")
    if abs(single(score)) > LARGEST_SCORE:
        raise DataError(
            f"{where}: score {show(value)} is beyond single precision ({LARGEST_SCORE:.2g}), in which trec_eval "
            "compares: it would be equal to all others out there; scale the scores"
        )
    return score


def parse_score(text: str, where: str) -> float:
    """A score given as text: a decimal number, perhaps with an exponent.

    Args:
        text: what was found.
        where: see `check_text`.

    Returns:
        the score.

    Raises:
        DataError: it is anything else, or not finite in single precision.
    """
    if not _DECIMAL.fullmatch(text):
        hint = "is no finite number" if text.lstrip("+-").lower() in ("nan", "inf", "infinity") else "is no number"
        raise DataError(f"{where}: score {shorten(text)[1:-1]} {hint}; expected one such as -1.5 or 2e-3")
    if math.isinf(value := float(text)):
        raise DataError(f"{where}: score {shorten(text)[1:-1]} is beyond every number that trec_eval knows")
    return check_score(value, where)


def single(score: float) -> float:
    """A number rounded to single precision; infinite where that has none so large."""
    try:
        rounded: float = struct.unpack("f", struct.pack("f", score))[0]
    except OverflowError:
        return math.copysign(math.inf, score)
    return rounded


def check_columns(name: str, where: str) -> str:
    """An id that can stand in TREC's files.

    Args:
        name: the id.
        where: see `check_text`.

    Returns:
        the id.

    Raises:
        DataError: it is none, or white space within it would split it.
    """
    if not isinstance(name, str) or not name or any(space in name for space in C_SPACE):
        raise DataError(f"{where}: {show(name)} cannot stand in a TREC run: its columns are separated by spaces")
    return check_id(name, where)
