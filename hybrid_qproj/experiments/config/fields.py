"""What every table of an experiment's file is made of: strict tables, and the types of their keys."""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, ValidationInfo

from hybrid_qproj.errors import HybridQprojError
from hybrid_qproj.retrieval.packaged import PACKAGED
from hybrid_qproj.retrieval.rules import LARGEST_GRADE, parse_grade
from hybrid_qproj.retrieval.sources import beir_file


class ConfigError(HybridQprojError, ValueError):
    """A configuration file that cannot be read or contradicts itself."""


T = TypeVar("T", bound=Collection[Any])


def beside_config(path: Path, info: ValidationInfo) -> Path:
    """A path as it is meant: a relative one starts at the configuration file's folder."""
    if "\0" in str(path):
        raise ValueError("a path holds no null character")
    folder = (info.context or {}).get("folder", Path())
    return folder / path.expanduser()


def once(values: T) -> T:
    """Refuse a value that stands there twice."""
    seen: set[Hashable] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{value!r} stands there twice")
        seen.add(value)
    return values


def _grade_key(key: object) -> object:
    return parse_grade(key, "the key of a table") if isinstance(key, str) else key


def _size_key(key: object) -> object:
    if not isinstance(key, str):
        return key
    if not re.fullmatch(r"[1-9][0-9]{0,5}", key):
        raise ValueError("a size as the key of a table is a whole number in digits")
    return int(key)


def grades_once(table: object) -> object:
    """Refuse a table in which one grade stands under two names, such as 1 and 01."""
    if isinstance(table, dict):
        once([parse_grade(key, "the key of a table") if isinstance(key, str) else key for key in table])
    return table


def _printable(name: str) -> str:
    if not name.isprintable() or name != name.strip():
        raise ValueError("a name has no control characters, and no space at its ends")
    return name


File = Annotated[Path, AfterValidator(beside_config)]
"""A path; a relative one starts at the configuration file's folder."""


def _folder_or_name(dataset: str | Path, info: ValidationInfo) -> str | Path:
    """A BEIR folder beside the configuration, as a path; else the name of a dataset, as it is."""
    if not str(dataset).strip():
        raise ValueError("the name of a dataset is blank")
    path = beside_config(Path(dataset), info)
    if beir_file(path, "corpus.jsonl"):
        return path
    if str(dataset) not in PACKAGED and beir_file(dataset, "corpus.jsonl"):
        raise ValueError(
            f"{str(dataset)!r} is a folder of the working directory; paths start at the configuration file's folder: "
            "write the path from there"
        )
    return str(dataset)


Dataset = Annotated[str | Path, AfterValidator(_folder_or_name)]
"""A collection by name; the path of a BEIR folder starts at the configuration file's folder."""
Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_printable)]
"""Of a head, an objective, a test: it goes into tables and names of files."""
Size = Annotated[int, Field(ge=1, le=100_000)]
SizeKey = Annotated[int, BeforeValidator(_size_key), Field(ge=1, le=100_000)]
"""A size as the key of a table, where TOML has text only."""
Grade = Annotated[int, Field(ge=1, le=1_000_000)]
"""Least grade that is relevant; 0 would make everything so."""
GivenGrade = Annotated[StrictInt, Field(ge=-LARGEST_GRADE, le=LARGEST_GRADE)]
GradeKey = Annotated[int, BeforeValidator(_grade_key), Field(ge=-LARGEST_GRADE, le=LARGEST_GRADE)]
"""A grade as the key of a table, where TOML has text only."""
LARGEST_SEED = (1 << 32) - 1
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
Layer = Annotated[int, Field(ge=0, lt=1000)]
"""Number of an encoder's layer, the lowest being 0."""
Layers = (
    Annotated[int, Field(ge=0, le=1000)]
    | Literal["all"]
    | Annotated[
        tuple[Layer, ...], Field(min_length=1), AfterValidator(once), AfterValidator(lambda few: tuple(sorted(few)))
    ]
)
"""Trained layers: how many of the last ones, all, or which by their numbers."""
Fraction = Annotated[int, Field(ge=1, le=1_000_000_000)] | Annotated[float, Field(gt=0, le=1)]
"""Training queries: a whole number of them, or a share as a decimal (1.0 is all)."""


class Strict(BaseModel):
    """A table in which a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def within(key: str, check: Any, *arguments: Any) -> None:
    """Check, and tell errors with the key they belong to."""
    try:
        check(*arguments)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error
