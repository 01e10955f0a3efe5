"""Keywords that a configuration gives to a constructor: seen to fit before it is called."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from hybrid_qproj._util.suggest import suggestion

NOT_GIVEN = frozenset(
    {"self", "in_features", "out_features", "generator", "embeddings", "settings", "parameters", "allow_paid"}
)
"""Parameters that an experiment decides by itself, or its caller."""
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", type(None): "nothing"}


def check_keywords(function: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Refuse keywords that a constructor does not have, and values that are plainly of another type.

    Args:
        function: a class or function with type hints.
        given: keyword -> value, as TOML has them.

    Raises:
        ValueError: the message names the keyword and what was expected, and never the value: it may hold a secret.
    """
    call = function.__init__ if inspect.isclass(function) else function
    hints = typing.get_type_hints(call)
    known = [name for name in inspect.signature(call).parameters if name not in NOT_GIVEN]
    for name, value in given.items():
        if name not in known:
            hint = suggestion(name, known, otherwise=";")
            raise ValueError(f"no keyword {name!r}{hint} expected one of {', '.join(known) or 'none'}")
        if name in hints and not _fits(value, hints[name]):
            words = " or ".join(dict.fromkeys(_WORDS[kind] for kind in _kinds(hints[name]) if kind in _WORDS))
            raise ValueError(f"{name}: expected {words}")


def _kinds(hint: Any) -> tuple[Any, ...]:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return tuple(kind for part in typing.get_args(hint) for kind in _kinds(part))
    if typing.get_origin(hint) is typing.Literal:
        return tuple({type(value) for value in typing.get_args(hint)})
    return (hint,)


def _fits(value: Any, hint: Any) -> bool:
    kinds = _kinds(hint)
    plain = [kind for kind in kinds if kind in _WORDS]
    if not plain:
        # Of this type TOML has no values; the constructor says what it wants.
        return True
    if isinstance(value, bool):
        return bool in plain
    return any(isinstance(value, (int, float) if kind is float else kind) for kind in plain)
