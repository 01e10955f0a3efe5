"""An ansatz's gates, and what their numbers are in terms of its parameters.

An ansatz is a quantum function that may compute angles from its parameters in any way. It is run at many values of its
parameters; numbers that are sums of multiples of them are recognised as such, of all others it is found which
parameters change them. Nothing is assumed about the function: it need not be smooth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from pennylane.operation import Operator
from torch import Tensor

from hybrid_qproj.circuits import Ansatz
from hybrid_qproj.circuits.ansatz import unchanged
from hybrid_qproj.viz.circuits.angles import Angle, linear
from hybrid_qproj.viz.circuits.errors import DrawingError
from hybrid_qproj.viz.circuits.gates import Gate, Slot, arrays, constants, plain, real, structure

LETTERS = "fghuvw"

SPECIAL = (0.0, 1.0, -1.0, np.pi / 2)
"""Values at which functions are likely to do something special."""

CHANGED = 1e-11
"""Relative difference from which on a number has changed: more than rounding errors."""


@dataclass(frozen=True)
class _Run:
    """An ansatz at some values of its parameters."""

    raw: np.ndarray
    point: np.ndarray
    operations: tuple[Operator, ...]
    numbers: np.ndarray
    structure: object


def numbered_gates(ansatz: Ansatz, weights: Tensor) -> list[Gate]:
    """Gates of a block with trained numbers.

    Args:
        ansatz: its ansatz.
        weights: raw weights, (parameters,).
    """
    gates = map(plain, _run(ansatz, weights.detach().double().cpu()).operations)
    return [(gate, constants(gate)) for gate in gates]


def gates_at(ansatz: Ansatz, angles: Sequence[float]) -> list[Operator]:
    """Gates of a block whose gate angles are given, whatever raw weights they come from.

    Args:
        ansatz: its ansatz.
        angles: one a parameter, in radians.

    Raises:
        DrawingError: the ansatz fails for them.
    """
    try:
        # The raw weights of such an ansatz are its gate angles.
        tape = replace(ansatz, angles=unchanged).trace(torch.tensor(angles, dtype=torch.float64))
    except Exception as error:
        given = ", ".join(f"{name}={value}" for name, value in zip(ansatz.parameter_names, angles, strict=True))
        raise DrawingError(f"ansatz {ansatz.name!r} fails for {given}: {type(error).__name__}: {error}") from error
    return [plain(gate) for gate in tape.operations]


def symbolic_gates(ansatz: Ansatz) -> list[Gate]:
    """Gates of a block with expressions of its parameters.

    Args:
        ansatz: its ansatz.

    Returns:
        each gate, at some values of the parameters, with its numbers as expressions of the parameters' numbers.

    Raises:
        DrawingError: which gates there are depends on the parameters, or on chance.
    """
    rng = np.random.default_rng(7)
    count = ansatz.parameters
    size = 2 * count + 4
    moderate = rng.normal(size=(size, count)) * rng.choice([0.5, 1.0, 2.0], size=(size, 1))
    wild = [rng.normal(scale=scale, size=(4, count)) for scale in (5.0, 1e2, 1e4)]
    special = [np.full((1, count), value) for value in SPECIAL]
    runs = [run for point in np.concatenate([moderate, *wild, *special]) if (run := _try(ansatz, point))]
    if not runs:
        raise DrawingError(f"ansatz {ansatz.name!r} fails for each of {size} random weights; draw it with weights")
    first, *others = runs
    again = _run(ansatz, torch.from_numpy(first.raw))
    if not np.array_equal(again.numbers, first.numbers, equal_nan=True):
        raise DrawingError(f"ansatz {ansatz.name!r} has other numbers each time it is run; it cannot be drawn")
    if any(run.structure != first.structure for run in others):
        raise DrawingError(
            f"which gates ansatz {ansatz.name!r} has depends on the values of its parameters, so no one circuit can be "
            "drawn with symbols; draw it with weights: block_picture(ansatz, weights), or the folder of a saved model"
        )
    points = np.array([run.point for run in runs])
    table = np.array([run.numbers for run in runs])
    sums = [_sum(points, column) for column in table.T]
    touched = _dependence(ansatz, rng, first) if None in sums else np.zeros((table.shape[1], count), dtype=bool)
    return _assemble(first, table, sums, touched)


def _assemble(first: _Run, table: np.ndarray, sums: list[Angle | None], touched: np.ndarray) -> list[Gate]:
    letters: dict[tuple[int, ...], dict[bytes, str]] = {}

    def function(symbols: tuple[int, ...], values: np.ndarray) -> Angle:
        # Two functions of the same parameters are told apart by their letters.
        known = letters.setdefault(symbols, {})
        letter = LETTERS[len(known)] if len(known) < len(LETTERS) else f"f_{len(known) + 1}"
        letter = known.setdefault(np.ascontiguousarray(values).round(9).tobytes(), letter)
        return Angle(0.0, tuple((symbol, 1.0) for symbol in symbols), letter)

    def dependent(column: int) -> Angle:
        return Angle(0.0, tuple((int(symbol), 1.0) for symbol in np.flatnonzero(touched[column])), LETTERS[0])

    gates, start = [], 0
    for operation in map(plain, first.operations):
        slots = []
        for array, setting in arrays(operation):
            columns = range(start, start + array.size)
            start += array.size
            entries = [sums[column] or dependent(column) for column in columns]
            if not array.shape and entries[0].function:
                entries = [function(entries[0].symbols, table[:, start - 1])]
            symbols = tuple(sorted({symbol for entry in entries for symbol in entry.symbols}))
            whole = function(symbols, table[:, list(columns)]) if array.shape and symbols else None
            slots.append(Slot(array.shape, tuple(entries), setting, whole))
        gates.append((operation, tuple(slots)))
    return gates


def _sum(points: np.ndarray, values: np.ndarray) -> Angle | None:
    if (values == values[0]).all():
        return Angle(real(complex(values[0])))
    return None if np.iscomplex(values).any() else linear(points, values.real)


def _dependence(ansatz: Ansatz, rng: np.random.Generator, start: _Run) -> np.ndarray:
    """Which parameters change which numbers, (numbers, parameters): each is changed alone, at many places."""
    count = ansatz.parameters
    scales = (0.3, 1.0, 3.0, 30.0, 1e4)
    places = [(scale, rng.normal(scale=scale, size=count)) for scale in scales * min(12, max(3, 300 // max(1, count)))]
    found = np.zeros((len(start.numbers), count), dtype=bool)
    for scale, point in [*places, *((1.0, np.full(count, value)) for value in SPECIAL)]:
        before = _try(ansatz, point)
        for parameter, value in enumerate(rng.normal(scale=scale, size=count)):
            after = _try(ansatz, np.where(np.arange(count) == parameter, value, point))
            if before is None or after is None or not before.structure == after.structure == start.structure:
                continue
            found[:, parameter] |= _differ(before.numbers, after.numbers)
    # A number that no single change has moved may need several: it is said to depend on all.
    return np.where(found.any(axis=1, keepdims=True), found, True)


def _differ(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    finite = np.isfinite(one) & np.isfinite(two)
    size = np.maximum(1.0, np.maximum(np.abs(one), np.abs(two)))
    with np.errstate(invalid="ignore"):
        apart = np.abs(one - two) > CHANGED * size
    return np.where(finite, apart, np.isfinite(one) != np.isfinite(two))


def _try(ansatz: Ansatz, point: np.ndarray) -> _Run | None:
    """A run; None where somebody's function fails, as a logarithm does below 0."""
    try:
        return _run(ansatz, torch.from_numpy(np.asarray(point)))
    except Exception:
        return None


def _run(ansatz: Ansatz, raw: Tensor) -> _Run:
    operations = tuple(ansatz.trace(raw).operations)
    found = [array.ravel() for operation in operations for array, _ in arrays(operation)]
    numbers = np.concatenate([np.zeros(0), *found]).astype(complex)
    with torch.no_grad():
        point = ansatz.angles(raw).detach().double().numpy()
    return _Run(raw.numpy(), point, operations, numbers, [structure(operation) for operation in operations])
