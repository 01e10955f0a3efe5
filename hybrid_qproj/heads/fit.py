"""What it is to fit a head to embeddings without labels: the facts that a class states, and the two ways to ask."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from types import MethodType
from typing import Any


@dataclass(frozen=True)
class Fit:
    """That a class of heads has a ``fit``, and what who makes heads by name must know of it.

    Attributes:
        required: whether a new head is of no use before it is fitted.
        settings: class of what ``fit`` takes as ``settings``; None if it takes none.
        decides: keywords of the constructor that the fit chooses by itself, so that ``fit`` does not take them.
        own: keywords of ``fit`` that the constructor does not take.
    """

    required: bool = False
    settings: Callable[..., Any] | None = None
    decides: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()


class also_in_place:  # noqa: N801 - a decorator, as classmethod
    """A class method ``fit`` which a head that exists may call too, to be fitted itself: how it was called before.

    Args:
        of_class: (class, embeddings, out_features, ...) -> a fitted head.

    Examples:
        >>> import torch
        >>> from hybrid_qproj import PCAProjection
        >>> x = torch.randn(20, 4)
        >>> torch.equal(PCAProjection.fit(x, 2)(x), PCAProjection(4, 2).fit(x)(x))
        True
    """

    def __init__(self, of_class: Callable[..., Any]) -> None:
        functools.update_wrapper(self, of_class)  # type: ignore[arg-type] # for its documentation
        self._of_class = of_class
        self._in_place = of_class

    def by(self, in_place: Callable[..., Any]) -> Callable[..., Any]:
        """Say what a head's own call is: (head, embeddings) -> the head. A decorator."""
        self._in_place = in_place
        return in_place

    def __get__(self, head: Any, cls: type[Any]) -> Any:
        return MethodType(self._of_class, cls) if head is None else MethodType(self._in_place, head)
