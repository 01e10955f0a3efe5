"""A circuit while it is put together: gates, their numbers, and symbols that no two things share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pennylane as qml
from pennylane.operation import Operator

from hybrid_qproj.circuits import Ansatz
from hybrid_qproj.viz.circuits.angles import Angle
from hybrid_qproj.viz.circuits.gates import Gate, Slot
from hybrid_qproj.viz.circuits.names import fresh
from hybrid_qproj.viz.circuits.symbols import Symbol
from hybrid_qproj.viz.circuits.tracing import gates_at

SOMEWHERE = 0.37
"""Multiples of it stand for values that a gate does not depend on."""

STEMS = ("in", "input", "encoded")
"""What encoding angles are called where an ansatz has parameters of their usual names."""


@dataclass(frozen=True)
class Block:
    """Where in a picture the gates of a block with symbols are.

    Args:
        ansatz: the block's ansatz.
        start: place of its first gate among the operations.
        wires: its wires.
        numbers: of the symbols of its parameters.
    """

    ansatz: Ansatz
    start: int
    wires: tuple[int, ...]
    numbers: tuple[int, ...]

    def gates_at(self, values: Mapping[int, float]) -> dict[int, Operator]:
        """Its gates by place, computed anew for values of its parameters; those without one are somewhere.

        Args:
            values: in radians, by number of the symbol.
        """
        angles = [values.get(number, SOMEWHERE * (place + 1)) for place, number in enumerate(self.numbers)]
        moved = [gate.map_wires(dict(enumerate(self.wires))) for gate in gates_at(self.ansatz, angles)]
        return dict(enumerate(moved, start=self.start))


class Sheet:
    """Gates and symbols of a picture, in order.

    Args:
        parameters: names of parameters that will come; what is not a parameter keeps away from them.
    """

    def __init__(self, parameters: Iterable[str]) -> None:
        self.operations: list[Operator] = []
        self.slots: list[tuple[Slot, ...]] = []
        self.symbols: list[Symbol] = []
        self.blocks: list[Block] = []
        self._reserved = set(parameters)

    def free(self, stem: str, index: str) -> str:
        """A name for something that is no parameter."""
        primes = stem[len(stem.rstrip("'")) :]
        tried = [f"{one}_{index}" for one in (stem, *(other + primes for other in STEMS))]
        found = next((name for name in tried if name not in self._reserved), None)
        return found or fresh(tried[-1], self._reserved, lambda name, number: f"{name}_{number}")

    def encoding(self, stem: str, index: str, meaning: str, neutral: float) -> int:
        """The number of a new symbol for an angle that prepares a qubit."""
        self.symbols.append(Symbol(self.free(stem, index), meaning, neutral))
        return len(self.symbols) - 1

    def angle_of(self, qubit: int, stem: str) -> int:
        """The number of a new symbol for a qubit's angle theta in [0, pi], encoded or read."""
        meaning = f"the angle of qubit {qubit + 1}, arccos of its Z"
        return self.encoding(stem, str(qubit + 1), meaning, math.pi / 2)

    def rotate(self, wire: int, symbol: int, sign: int) -> None:
        """Prepare a qubit by RY of an angle, or of its negative."""
        value = self.symbols[symbol].neutral or 0.0
        angle = Angle(0.0, ((symbol, float(sign)),))
        self._put(qml.RY(sign * value, wires=wire), (Slot((), (angle,)),))

    def block(self, ansatz: Ansatz, gates: Sequence[Gate], wires: Sequence[int], names: Sequence[str] | None) -> None:
        """The gates of a block.

        Args:
            ansatz: the block's ansatz.
            gates: with the numbers of a block's own parameters.
            wires: its wires here.
            names: of its parameters here; None for a block of numbers.
        """
        start = len(self.symbols)
        for name in names or ():
            used = {symbol.name for symbol in self.symbols}
            self.symbols.append(Symbol(fresh(name, used, lambda stem, number: f"{stem}_{number}")))
        numbers = list(range(start, len(self.symbols)))
        if names is not None:
            self.blocks.append(Block(ansatz, len(self.operations), tuple(wires), tuple(numbers)))
        for gate, slots in gates:
            self._put(gate.map_wires(dict(enumerate(wires))), tuple(slot.renumbered(numbers) for slot in slots))

    def add(self, operation: Operator) -> None:
        """Something without numbers."""
        self._put(operation, ())

    def _put(self, operation: Operator, slots: tuple[Slot, ...]) -> None:
        self.operations.append(operation)
        self.slots.append(slots)


def block_names(names: Sequence[str], block: int) -> tuple[str, ...]:
    """Names of one block's parameters.

    Args:
        names: of the ansatz.
        block: the block's number, from 1.

    Examples:
        >>> block_names(("alpha", "delta_cu", "phi_c1"), 3)
        ('alpha_3', 'delta_cu3', 'phi_c1_3')
    """
    return tuple(f"{name}{block}" if "_" in name and not name[-1:].isdigit() else f"{name}_{block}" for name in names)
