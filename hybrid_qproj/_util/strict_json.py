"""JSON of strangers: what its standard does not know, and what two readers could take in two ways, is an error."""

from __future__ import annotations

import json
from typing import Any, NoReturn

DEPTH = 64
"""Levels of nested tables and lists at most."""
SHOWN = 60
"""Letters of a key in a message at most."""


def parse_json(text: str) -> Any:
    """Parse JSON as its standard has it: no NaN or infinity, no key twice, no number beyond a double, no deep nesting.

    Args:
        text: the JSON.

    Returns:
        the value.

    Raises:
        ValueError: it is not such a text.

    Examples:
        >>> parse_json('{"a": 1, "a": 2}')
        Traceback (most recent call last):
        ...
        ValueError: the key 'a' stands there twice
    """
    try:
        value = json.loads(
            text, object_pairs_hook=unique_keys, parse_constant=no_constant, parse_float=_finite, parse_int=_whole
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    # What a reader does with nested values may recurse, with more on the stack than the parser had.
    level = [value]
    for _ in range(DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise ValueError("it is nested too deeply")


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A table of which every key stands there once: an ``object_pairs_hook``.

    Raises:
        ValueError: one stands there twice, so that two readers could take it in two ways.
    """
    table = dict(pairs)
    if len(table) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # adds
        raise ValueError(f"the key {twice[:SHOWN]!r} stands there twice")
    return table


def no_constant(name: str) -> NoReturn:
    """Refuse NaN and infinities, which Python's reader takes: a ``parse_constant``.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text[:20]} is out of range")
    return value


def _whole(text: str) -> int:
    if len(text) > 20:  # noqa: PLR2004 - digits of a 64-bit number with its sign
        raise ValueError(f"the number {text[:20]}... is out of range")
    return int(text)
