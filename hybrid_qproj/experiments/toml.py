"""A TOML file that somebody else may have written: read with care, and what is wrong with it told by key."""

from __future__ import annotations

import datetime as dt
import math
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from hybrid_qproj._util.files import read_bounded
from hybrid_qproj._util.suggest import suggestion
from hybrid_qproj.errors import HybridQprojError

MOST_BYTES = 1 << 20
DEEPEST = 16
"""Tables within tables."""
MOST_SHOWN = 5
"""Problems of one file that a message tells."""


class TomlError(HybridQprojError, ValueError):
    """A file that is no TOML, or that holds what no configuration has."""


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Args:
        path: the file, UTF-8.

    Returns:
        its tables: texts, truth values, whole numbers of 64 bits, finite numbers, lists and tables.

    Raises:
        TomlError: it is missing, no TOML, too large, or holds something else; the message names the file, and the key.
    """
    try:
        table = tomllib.loads(read_bounded(path, MOST_BYTES).decode("utf-8-sig"))
    except FileNotFoundError:
        raise TomlError(f"no configuration file {str(path)!r}") from None
    except OSError as error:
        raise TomlError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TomlError(f"{path} is no TOML: it is not UTF-8 ({error.reason} at byte {error.start})") from error
    except RecursionError:
        raise TomlError(f"{path} is no TOML of a configuration: it is nested too deeply") from None
    except ValueError as error:
        raise TomlError(f"{path} is no TOML: {_plain(str(error))}") from error
    _check_values(path, table)
    return table


def _check_values(path: Path, table: dict[str, Any]) -> None:
    # Not by recursion: dotted keys nest as deeply as somebody likes.
    waiting: list[tuple[tuple[str, ...], Any]] = [((), table)]
    while waiting:
        key, value = waiting.pop()
        if len(key) > DEEPEST:
            raise TomlError(f"{path}: {_name(key[:3])}... is nested too deeply")
        if isinstance(value, dict):
            waiting += [((*key, name), part) for name, part in value.items()]
        elif isinstance(value, list):
            waiting += [((*key, str(number)), part) for number, part in enumerate(value)]
        elif isinstance(value, float) and not math.isfinite(value):
            raise TomlError(f"{path}: {_name(key)} is not finite; expected a number")
        elif isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
            raise TomlError(f"{path}: {_name(key)} is out of the range of whole numbers")
        elif isinstance(value, dt.date | dt.time):
            raise TomlError(f"{path}: {_name(key)} is a date or a time; no setting is one")


def explain(error: ValidationError, model: type[BaseModel] | None = None) -> list[str]:
    """What a validation found, a text a problem: the key and what was expected, never the value that was given.

    Args:
        error: of pydantic.
        model: whose keys are suggested for unknown ones at the top.

    Returns:
        the first problems, and how many more there are.
    """
    lines = []
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    for problem in problems:
        key = problem["loc"]
        if problem["type"] == "too_short" and any(
            other["loc"][: len(key)] == key for other in problems if other != problem
        ):
            # The list is short only because its members, each told by itself, were not taken.
            continue
        text = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden" and model is not None and len(key) == 1:
            text += suggestion(str(key[0]), model.model_fields)
        lines.append(f"{_name(tuple(map(str, key))) or 'experiment'}: {_plain(text)}")
    more = len(lines) - MOST_SHOWN
    return [*lines[:MOST_SHOWN], *([f"and {more} more"] if more > 0 else [])]


def _name(key: tuple[str, ...]) -> str:
    return _plain(".".join(part if len(part) <= 60 else f"{part[:60]}..." for part in key))  # noqa: PLR2004 - to read


def _plain(text: str) -> str:
    """On one line, without characters that a terminal would obey."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
