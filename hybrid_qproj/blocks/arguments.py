"""Which argument of a quantum function takes the inputs, and which are weights."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from hybrid_qproj.errors import ArgumentError

INPUTS = "inputs"
"""The argument that takes the inputs, where a function has one of that name; else the first that is no weight."""
Shapes = Mapping[str, int | tuple[int, ...]]
"""Shape of each weight by its argument's name: a number of entries, or a shape, ``()`` for one number."""


def weight_shape(name: str, shape: Any) -> tuple[int, ...]:
    """A shape as PennyLane's layers take it.

    Args:
        name: name of the weight.
        shape: a number of entries, or a shape.

    Returns:
        the shape.

    Raises:
        ArgumentError: it is none.

    Examples:
        >>> weight_shape("weights", 3), weight_shape("weights", (2, 3)), weight_shape("weights", ())
        ((3,), (2, 3), ())
    """
    sizes = (shape,) if isinstance(shape, int) else tuple(shape) if isinstance(shape, tuple | list) else (0,)
    if not all(isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in sizes):
        raise ArgumentError(f"weight_shapes: {name!r} has {shape!r}; expected whole numbers of at least 1")
    return sizes


def input_argument(function: Callable[..., Any], weights: Mapping[str, Any]) -> str:
    """The argument that takes the inputs, of a function whose other arguments are known.

    Args:
        function: the quantum function. What has a default and is no weight keeps its default.
        weights: weights by the names of their arguments.

    Returns:
        its name.

    Raises:
        ArgumentError: there is none, arguments are left over, or weights are.

    Examples:
        >>> input_argument(lambda x, *, angles, scale=1.0: None, {"angles": (3,)})
        'x'
    """
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind in (p.VAR_POSITIONAL, p.POSITIONAL_ONLY) for p in parameters):
        raise ArgumentError("the circuit has arguments without names (*args, or before a '/'); name each of them")
    open_ended = any(p.kind == p.VAR_KEYWORD for p in parameters)
    names = [p.name for p in parameters if p.kind != p.VAR_KEYWORD]
    unknown = [name for name in weights if name not in names]
    if unknown and not open_ended:
        raise ArgumentError(f"weight_shapes names {unknown[0]!r}; the circuit's arguments are {', '.join(names)}")
    rest = [name for name in names if name not in weights]
    if not rest:
        raise ArgumentError(
            "the circuit has no argument for the inputs: all of them are in weight_shapes; leave one out there"
        )
    chosen = INPUTS if INPUTS in rest else rest[0]
    missing = [p.name for p in parameters if p.name in rest and p.name != chosen and p.default is p.empty]
    if missing:
        raise ArgumentError(
            f"the circuit's argument {missing[0]!r} has no default and no shape in weight_shapes; give it one of them"
        )
    return chosen
