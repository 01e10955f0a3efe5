"""Labelled training examples: a query, a passage that answers it, and passages that do not (hard negatives)."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hybrid_qproj.errors import DataError


class Example(NamedTuple):
    """Texts of a training example."""

    query: str
    positive: str
    negatives: tuple[str, ...]


@dataclass(frozen=True)
class Examples:
    """Training examples.

    Args:
        items: the examples.
        problems: what was left out and why, counted, for people.
    """

    items: tuple[Example, ...]
    problems: tuple[str, ...]


def choose(names: Iterable[str], queries: float, seed: int) -> list[str]:
    """Some of the queries: the first ones of one random order, so that fewer are among more.

    Args:
        names: all queries, each once.
        queries: how many (an integer), or what share of them (a float in (0, 1]), at least one.
        seed: of the order.

    Returns:
        the chosen ones.

    Raises:
        DataError: there are fewer queries than asked for.
    """
    order = sorted(names)
    random.Random(seed).shuffle(order)  # noqa: S311 - no secret
    if isinstance(queries, bool) or (isinstance(queries, float) and not 0 < queries <= 1):
        raise DataError(f"{queries} training queries: expected a whole number, or a share in (0, 1] such as 0.5")
    wanted = queries if isinstance(queries, int) else max(1, round(queries * len(order)))
    if not 1 <= wanted <= len(order):
        raise DataError(f"{queries} training queries were asked for; there are {len(order)}")
    return order[: int(wanted)]


def choose_queries(examples: Sequence[Example], queries: float, seed: int) -> list[Example]:
    """The examples of some of the queries; see `choose`.

    Args:
        examples: all examples.
        queries: how many queries, or what share of them.
        seed: of the choice.

    Returns:
        all examples of the chosen queries, in their order.

    Raises:
        DataError: there are fewer queries than asked for.
    """
    chosen = set(choose({example.query for example in examples}, queries, seed))
    return [example for example in examples if example.query in chosen]


def split_queries(
    examples: Sequence[Example], queries: float, validation: float, seed: int
) -> tuple[list[Example], list[Example]]:
    """Examples to train on, and those of other queries that are held out.

    Args:
        examples: all examples.
        queries: how many queries are trained on, or what share of those that are not held out.
        validation: how many queries are held out, or how many for each one that is trained on (0.1: one for ten).
        seed: of the one random order of the queries, from whose start and end both are taken, so that fewer are among
            more.

    Returns:
        examples to train on, and those held out, each in their order.

    Raises:
        DataError: there are fewer queries than asked for.
    """
    order = choose({example.query for example in examples}, 1.0, seed)
    # A little more than the quotient, which rounding may put just below a whole number.
    most = len(order) - validation if isinstance(validation, int) else len(order) / (1 + validation) + 1e-6
    wanted = queries if isinstance(queries, int) else max(1, round(queries * int(most)))
    held_out = validation if isinstance(validation, int) else max(1, round(validation * wanted))
    if wanted + held_out > len(order):
        raise DataError(
            f"{wanted} training queries and {held_out} for validation were asked for; there are {len(order)}: lower "
            "fractions or validation, or give more queries"
        )
    first, last = set(order[: int(wanted)]), set(order[len(order) - int(held_out) :])
    return [one for one in examples if one.query in first], [one for one in examples if one.query in last]


def some_examples(name: str, items: Sequence[Example], problems: Sequence[str]) -> Examples:
    """Examples, of which there are some.

    Args:
        name: of where they come from.
        items: the examples.
        problems: what was left out and why.

    Returns:
        both.

    Raises:
        DataError: nothing is left.
    """
    if not items:
        raise DataError(f"{name} gives no training example: {'; '.join(problems) or 'it is empty'}")
    return Examples(tuple(items), tuple(problems))
