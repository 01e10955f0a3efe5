"""Tables that somebody else may have written, checked by a schema before anything is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MOST_FEATURES = 1 << 20
"""Numbers of an embedding at most."""
SHOWN = 60
"""Letters of a wrong value that an error shows."""


class Strict(BaseModel):
    """A table whose keys and types are exactly these: no other key, no text for a number, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


Width = Annotated[int, Field(ge=1, le=MOST_FEATURES)]
"""A number of features."""
Index = Annotated[int, Field(ge=0, lt=MOST_FEATURES)]
"""A place among features or blocks."""
Name = Annotated[str, Field(min_length=1, max_length=1000)]

S = TypeVar("S", bound=BaseModel)


def validated(schema: type[S], table: Mapping[str, Any]) -> S:
    """Check a table.

    Args:
        schema: what it must be.
        table: plain values, as JSON has them.

    Returns:
        the table as the schema's model.

    Raises:
        ValueError: it is not; one line that names the key, what stands there and what is expected.
    """
    try:
        return schema.model_validate(dict(table))
    except ValidationError as error:
        raise ValueError(first_error(error)) from error


def first_error(error: ValidationError) -> str:
    """What is wrong, in one line: the first problem, and how many there are besides."""
    problems = error.errors(include_url=False, include_context=False)
    problem = problems[0]
    key = ".".join(map(str, problem["loc"])) or "the table"
    shown = repr(problem["input"]) if not isinstance(problem["input"], dict | list) else type(problem["input"]).__name__
    given = "" if problem["type"] == "missing" else f", got {shown if len(shown) <= SHOWN else shown[:SHOWN] + '...'}"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{key}: {problem['msg'].replace(chr(10), ' ')}{given}{more}"
