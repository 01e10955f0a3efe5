"""Which columns of training data are queries and which are documents, and what goes before their texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hybrid_qproj.sbert import Encoder
from hybrid_qproj.text.sides import Side, side_prompt

QUERY = "query"


class Columns(NamedTuple):
    """How columns are encoded, as sentence-transformers' trainer takes it.

    Attributes:
        sides: dataset -> column -> side.
        prompts: dataset -> column -> prompt; only prompts that are not empty.
    """

    sides: dict[str, dict[str, str]]
    prompts: dict[str, dict[str, str]]


def column_sides(columns: Sequence[str]) -> dict[str, Side]:
    """What the columns of a dataset hold.

    Args:
        columns: in order: queries, positives, negatives; or texts alone, which count as documents.

    Returns:
        column -> side.
    """
    first: Side = "query" if len(columns) > 1 or list(columns) == [QUERY] else "document"
    return {column: first if place == 0 else "document" for place, column in enumerate(columns)}


def columns_of(model: Encoder, data: Mapping[str, Sequence[str]]) -> Columns:
    """How a model encodes the columns of its training data: as ``encode_query`` and ``encode_document`` do.

    Args:
        model: the model.
        data: dataset -> its columns.

    Returns:
        sides and prompts.
    """
    sides: dict[str, dict[str, Side]] = {name: column_sides(columns) for name, columns in data.items()}
    prompts = {
        name: {column: prompt for column, side in found.items() if (prompt := side_prompt(model, side))}
        for name, found in sides.items()
    }
    tasks: dict[str, dict[str, str]] = {name: {**found} for name, found in sides.items()}
    return Columns(tasks, {name: found for name, found in prompts.items() if found})
