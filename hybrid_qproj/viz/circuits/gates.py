"""A gate's numbers: its parameters, and numbers among its settings, which PennyLane does not count as such."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pennylane as qml
from pennylane.operation import Operator
from torch import Tensor

from hybrid_qproj.viz.circuits.angles import Angle


@dataclass(frozen=True)
class Slot:
    """A number of a gate, or an array of them: an angle, a matrix, the weights of a template.

    Args:
        shape: of the array; empty for a number.
        entries: one expression a number, row by row.
        setting: whether it is no parameter of the gate to PennyLane, such as the exponent of a power.
        whole: an array as one function of symbols, where it depends on any.
    """

    shape: tuple[int, ...]
    entries: tuple[Angle, ...]
    setting: bool = False
    whole: Angle | None = None

    @property
    def symbols(self) -> set[int]:
        """Numbers of the symbols it depends on."""
        return {symbol for entry in self.entries for symbol in entry.symbols}

    def renumbered(self, numbers: list[int]) -> Slot:
        """The same numbers in terms of other symbols."""
        entries = tuple(entry.renumbered(numbers) for entry in self.entries)
        return replace(self, entries=entries, whole=self.whole and self.whole.renumbered(numbers))

    def bound(self, values: dict[int, float]) -> Slot:
        """The same numbers with values for some symbols; functions stay as they are."""
        entries = tuple(entry if entry.function else entry.bound(values) for entry in self.entries)
        return replace(self, entries=entries)


Gate = tuple[Operator, tuple[Slot, ...]]


def plain(gate: Operator) -> Operator:
    """A gate with NumPy's numbers in place of torch's."""
    if not any(isinstance(value, Tensor) for value in gate.data):
        return gate
    return qml.ops.functions.bind_new_parameters(gate, [_array(value)[()] for value in gate.data])


def constants(gate: Operator) -> tuple[Slot, ...]:
    """A gate's own numbers."""
    return tuple(
        Slot(array.shape, tuple(Angle(real(entry)) for entry in array.ravel().tolist()), setting)
        for array, setting in arrays(gate)
    )


def arrays(operation: Operator) -> Iterator[tuple[np.ndarray, bool]]:
    """A gate's numbers: its parameters, then numbers among its settings."""
    for value in operation.data:
        yield _array(value), False
    yield from ((array, True) for array in _settings(operation))


def _settings(operation: Operator) -> Iterator[np.ndarray]:
    for _, value in sorted(operation.hyperparameters.items()):
        if isinstance(value, Operator):
            yield from _settings(value)
        elif isinstance(value, tuple | list) and any(isinstance(part, Operator) for part in value):
            for part in value:
                if isinstance(part, Operator):
                    yield from _settings(part)
        elif isinstance(value, int | float | complex | np.ndarray | Tensor) and not isinstance(value, bool):
            array = _array(value)
            if array.dtype.kind in "iufc":
                yield array


def _array(value: object) -> np.ndarray:
    if isinstance(value, Tensor):
        return value.detach().cpu().resolve_conj().numpy()
    return np.asarray(value.toarray() if hasattr(value, "toarray") else value)


def real(value: complex) -> complex:
    """A number without an imaginary part that is 0."""
    return value.real if isinstance(value, complex) and not value.imag else value


def structure(operation: Operator) -> object:
    """What of a gate must not change with the parameters: kind, wires, shapes."""
    parts = [part for value in operation.hyperparameters.values() for part in _operators(value)]
    shapes = [np.shape(array) for array, _ in arrays(operation)]
    controls = list(getattr(operation, "control_values", None) or ())
    return type(operation).__name__, list(operation.wires), shapes, controls, [structure(part) for part in parts]


def _operators(value: object) -> list[Operator]:
    if isinstance(value, Operator):
        return [value]
    return [part for part in value if isinstance(part, Operator)] if isinstance(value, tuple | list) else []
