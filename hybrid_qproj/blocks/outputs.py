"""What a QNode returns, as one tensor with a row for each input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from pennylane.tape import QuantumScript
from torch import Tensor

from hybrid_qproj.errors import ArgumentError


def joined(result: Any, rows: int) -> Tensor:
    """Results of a batch of circuits.

    Args:
        result: of one measurement (rows, *its shape); a list or tuple of those.
        rows: circuits in the batch.

    Returns:
        (rows, *shape) of one measurement; of a list or tuple (rows, numbers), side by side in its order.

    Raises:
        ArgumentError: something is no array of numbers.

    Examples:
        >>> joined([torch.ones(3), torch.zeros(3, 2)], 3).shape
        torch.Size([3, 3])
    """
    if not isinstance(result, list | tuple):
        return _numbers(result)
    return torch.cat([_numbers(part).reshape(rows, -1) for part in result], dim=1)


def stacked(results: Sequence[Any]) -> Tensor:
    """Results of single circuits, one after the other, as `joined` gives those of a batch.

    Args:
        results: what each circuit returned, at least one.

    Returns:
        (rows, *shape) or (rows, numbers).

    Raises:
        ArgumentError: something is no array of numbers.
    """
    if not isinstance(results[0], list | tuple):
        return torch.stack([_numbers(result) for result in results])
    return torch.stack([joined([_numbers(part)[None] for part in result], 1)[0] for result in results])


def row_shape(tape: QuantumScript, single: bool, wires: int) -> tuple[int, ...]:
    """Shape of a circuit's results without running it.

    Args:
        tape: the circuit, without batch dimension, with its shots.
        single: whether its one measurement is returned as it is, not in a list.
        wires: wires of its device.

    Returns:
        as a row of `joined`.
    """
    shapes = [tuple(m.shape(shots=tape.shots.total_shots, num_device_wires=wires)) for m in tape.measurements]
    return shapes[0] if single else (sum(math.prod(shape) for shape in shapes),)


def _numbers(part: Any) -> Tensor:
    try:
        return torch.as_tensor(part)
    except (TypeError, ValueError, RuntimeError):
        raise ArgumentError(
            f"the circuit returned a {type(part).__name__}, which is no array of numbers. Return expectation values, "
            "variances, probabilities, samples or states: one, or a list of them"
        ) from None
