"""Numbers as TREC's tools read them, not as Python does; ids and texts that C's tools and tokenizers take."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_qproj.retrieval.rules import (
    DataError,
    check_columns,
    check_grade,
    check_id,
    check_score,
    check_text,
    parse_grade,
    parse_score,
    single,
)

# What trec_eval itself calls.
LIBC = ctypes.CDLL(None)
LIBC.atol.restype = ctypes.c_long
LIBC.atof.restype = ctypes.c_double


@pytest.mark.parametrize(
    ("text", "expected"), [("2", 2), ("-1", -1), ("+3", 3), ("007", 7), ("-0", 0), ("0" * 30 + "1", 1)]
)
def test_grades(text, expected):
    """Digits with a sign, as C's atol reads them."""
    assert parse_grade(text, "f") == LIBC.atol(text.encode()) == expected


@pytest.mark.parametrize(
    "text",
    [
        "1.0",
        "0.9",
        "1e0",
        "true",
        "1_000",
        "٣",
        "²",
        " 7",
        "7 ",
        "",
        "+",
        "0x1",
        "nan",
        "1,5",
        "--1",
        "2147483648",
        "9" * 30,
    ],
)
def test_what_is_no_grade(text):
    """Floats, Python's own spellings, other scripts' digits, numbers beyond 32 bits."""
    with pytest.raises(DataError, match=r"^f, line 1: grade .*expected"):
        parse_grade(text, "f, line 1")


@pytest.mark.parametrize("value", [True, False, 1.0, 0.9, "2", None, 2**31, -(2**40), np.float32(1), np.bool_(True)])
def test_what_is_no_grade_in_memory(value):
    """A grade is a whole number: no truth value, no float, no text."""
    with pytest.raises(DataError, match="f: grade"):
        check_grade(value, "f")


def test_grades_of_numpy():
    """Whole numbers of any type are grades, and become Python's."""
    assert type(check_grade(np.int8(2), "f")) is int


@pytest.mark.parametrize("text", ["1", "-1.5", "+.5", "5.", "2e-3", "1E5", "0.1", "3.4028234e38", "1e-60", "-0"])
def test_scores(text):
    """Decimal numbers, as C's atof reads them."""
    assert parse_score(text, "f") == LIBC.atof(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "nan",
        "inf",
        "-Infinity",
        "1e999",
        "1e39",
        "-3.5e38",
        "1_0",
        "٣",
        "0x1p3",
        " 1",
        "",
        ".",
        "e5",
        "1e",
        "1.2.3",
        "1,5",
    ],
)
def test_what_is_no_score(text):
    """What atof would read otherwise, and what trec_eval's single precision does not hold."""
    with pytest.raises(DataError, match=r"^f, line 1: score .*"):
        parse_score(text, "f, line 1")


@pytest.mark.parametrize("value", [True, "1", None, 10**400, float("nan"), -float("inf"), 1e39, 1j])
def test_what_is_no_score_in_memory(value):
    """Scores are finite numbers."""
    with pytest.raises(DataError, match="f: score"):
        check_score(value, "f")


@given(st.floats(allow_nan=False))
@settings(max_examples=60)
def test_single_precision(value):
    """Rounded as the processor rounds."""
    with np.errstate(over="ignore"):
        assert single(value) == float(np.float32(value))


@pytest.mark.parametrize("space", [" ", "\t", "\n", "\v", "\f", "\r"])
def test_ids_that_would_split(space):
    """Every character of C's isspace, at any place."""
    for name in (f"a{space}b", f"{space}a", f"a{space}", space):
        with pytest.raises(DataError, match="cannot stand in a TREC run"):
            check_columns(name, "f")


@pytest.mark.parametrize("name", ["a\u00a0b", "a\u2028b", "a\x1cb", "a\x85b", "ä", "a\ufeff"])
def test_ids_that_do_not_split(name):
    """White space of Unicode is none of C's."""
    assert check_columns(name, "f") == name


def test_what_is_no_id_or_text():
    """Blank, NUL, half a surrogate pair, no string."""
    for value in ("", " ", "\u00a0", "a\0b", "\ud800", 7, None):
        with pytest.raises(DataError):
            check_id(value, "f")
    for value in (None, 7, b"a", "x\udfff"):
        with pytest.raises(DataError):
            check_text(value, "f")
    assert check_id(" a b", "f") == " a b"
    assert check_text("", "f") == ""


def test_scores_beyond_doubles_are_told_as_they_stand():
    """C reads 1e400 as infinite; the message has what is in the file."""
    with pytest.raises(DataError, match="f: score 1e400 is beyond"):
        parse_score("1e400", "f")
