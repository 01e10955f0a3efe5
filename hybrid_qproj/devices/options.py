"""What the value of a device option may be: few kinds, all plain, short, and the same after printing and parsing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Protocol

LONGEST_BACKEND_NAME = 32


class Kind(Protocol):
    """A set of values."""

    def accepts(self, value: Any) -> bool:
        """Whether a value is one of them."""

    @property
    def expected(self) -> str:
        """The values in words, for an error that must not repeat the one it refuses."""


@dataclass(frozen=True)
class Whole:
    """Whole numbers.

    Args:
        least: smallest one.
        most: largest one, bounded so that nothing is allocated for a size that nobody means.
    """

    least: int
    most: int

    def accepts(self, value: Any) -> bool:
        """Whether it is a whole number in the range; True is none."""
        return isinstance(value, int) and not isinstance(value, bool) and self.least <= value <= self.most

    @property
    def expected(self) -> str:
        """The range."""
        return f"a whole number >= {self.least}, at most {self.most:,}"


@dataclass(frozen=True)
class Seconds:
    """A time.

    Args:
        most: longest one, in seconds.
    """

    most: int

    def accepts(self, value: Any) -> bool:
        """Whether it is a number above 0 and not too large."""
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= self.most

    @property
    def expected(self) -> str:
        """The range."""
        return f"seconds, above 0 and at most {self.most:,}"


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def accepts(self, value: Any) -> bool:
        """Whether it is a boolean."""
        return isinstance(value, bool)

    @property
    def expected(self) -> str:
        """Both."""
        return "true or false"


@dataclass(frozen=True)
class Choice:
    """One of a few words.

    Args:
        words: the words.
    """

    words: tuple[str, ...]

    def accepts(self, value: Any) -> bool:
        """Whether it is one of them."""
        return isinstance(value, str) and value in self.words

    @property
    def expected(self) -> str:
        """The words."""
        return f"one of {', '.join(self.words)}"


@dataclass(frozen=True)
class Name:
    """Name of a backend, as providers give them: words and short numbers in lower case, as few credentials are.

    Args:
        meaning: what it names, in words.
    """

    meaning: str

    def accepts(self, value: Any) -> bool:
        """Whether it is such a name."""
        word = "(?:[a-z]{1,20}[0-9]{0,3}|[0-9]{1,3}[a-z]{0,3})"
        return (
            isinstance(value, str)
            and len(value) <= LONGEST_BACKEND_NAME
            and value not in ("true", "false")
            and re.fullmatch(rf"[a-z]{{1,20}}[0-9]{{0,3}}(?:[_.\-]{word})*_?", value) is not None
        )

    @property
    def expected(self) -> str:
        """What it names, and its length."""
        return f"{self.meaning}, in lower case, at most {LONGEST_BACKEND_NAME} characters"


@dataclass(frozen=True)
class Text:
    """A short name. It begins with a letter, so it is never taken for a number.

    Args:
        meaning: what it names, in words.
        signs: what it may hold beside ASCII letters, digits and underscores.
        most: most characters.
    """

    meaning: str
    signs: str = "-"
    most: int = 32

    def accepts(self, value: Any) -> bool:
        """Whether it is such a name; an address with ``://`` is none."""
        pattern = rf"[A-Za-z][A-Za-z0-9_{re.escape(self.signs)}]*"
        return (
            isinstance(value, str)
            and len(value) <= self.most
            and value not in ("true", "false")
            and re.fullmatch(pattern, value) is not None
            and "//" not in value
        )

    @property
    def expected(self) -> str:
        """What it names, and its length."""
        return f"{self.meaning}, at most {self.most} characters"


@dataclass(frozen=True)
class Either:
    """Values of one kind or another.

    Args:
        kinds: the kinds.
    """

    kinds: tuple[Kind, ...]

    def accepts(self, value: Any) -> bool:
        """Whether one of them takes it."""
        return any(kind.accepts(value) for kind in self.kinds)

    @property
    def expected(self) -> str:
        """All of them."""
        return " or ".join(kind.expected for kind in self.kinds)
