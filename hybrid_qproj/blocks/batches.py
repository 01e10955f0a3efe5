"""Whether a quantum function takes many rows at once, or only one: told by its gates, not by running it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pennylane as qml
from pennylane.tape import QuantumScript
from torch import Tensor


def takes_batches(function: Callable[..., Any], argument: str, pair: Tensor, weights: Mapping[str, Tensor]) -> bool:
    """Whether a batch of two rows gives the gates that each of them gives alone.

    A function that reads ``inputs[0]`` gets the first row of a batch, where it means the first number of a row; it
    runs all the same, and its results are wrong.

    Args:
        function: the quantum function.
        argument: name of the argument that takes inputs.
        pair: two different rows, (2, width).
        weights: the other arguments.

    Returns:
        False where anything is in doubt: an error, another number of gates, other gates or measurements.
    """

    def traced(inputs: Tensor) -> QuantumScript:
        return qml.tape.make_qscript(function)(**{argument: inputs}, **weights)

    try:
        together, _ = qml.transforms.broadcast_expand(traced(pair))
        return len(together) == len(pair) and all(
            _same(narrow, traced(row)) for narrow, row in zip(together, pair, strict=True)
        )
    # Whatever a stranger's function raises when it is given two rows; what it raises for one, the run will show.
    except Exception:
        return False


def _same(one: QuantumScript, other: QuantumScript) -> bool:
    loose = {"check_interface": False, "check_trainability": False}
    pairs = zip(one.circuit, other.circuit, strict=True)
    return all(qml.equal(mine, theirs, **loose) for mine, theirs in pairs)
