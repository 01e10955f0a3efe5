"""What was found, cut short for an error message."""

from __future__ import annotations


def shorten(line: str, width: int = 60) -> str:
    """A line for an error message, in quotes.

    Examples:
        >>> shorten("a long line", width=8)
        "'a lon...'"
    """
    return repr(line if len(line) <= width else line[: width - 3] + "...")


def show(value: object) -> str:
    """A value of any kind for an error message."""
    return shorten(value) if isinstance(value, str) else shorten(repr(value))[1:-1]
