"""Many independent blocks side by side on one device's wires, and their results taken apart again.

A block uses two wires; a machine has 127 and charges by the circuit. The blocks share no gate, so a wide circuit's
expectation values are those of its blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pennylane as qml
from pennylane.devices import Device
from pennylane.tape import QuantumScript

from hybrid_qproj.devices.wrappers.delegate import Delegate
from hybrid_qproj.errors import ArgumentError

Tapes = Sequence[QuantumScript]
Restore = Callable[[Sequence[Any]], tuple[Any, ...]]


def pack_tapes(tapes: Tapes, blocks: int, wires: int) -> tuple[tuple[QuantumScript, ...], Restore]:
    """Lay tapes side by side.

    Args:
        tapes: circuits without batch dimension, on wires 0 to ``wires`` - 1 each.
        blocks: most tapes in one wide circuit, at least 1.
        wires: wires of a tape.

    Returns:
        the wide circuits, and the function that turns their results into those of ``tapes``.

    Raises:
        ValueError: ``blocks`` is not positive, a tape uses other wires, or holds a measurement of all wires.
    """
    if blocks < 1:
        raise ArgumentError(f"pack={blocks}: expected a whole number of at least 1")
    groups: list[list[QuantumScript]] = []
    for tape in tapes:
        _check(tape, wires)
        # Shots belong to a whole circuit: tapes that differ in them cannot share one.
        if not groups or len(groups[-1]) == blocks or groups[-1][0].shots != tape.shots:
            groups.append([])
        groups[-1].append(tape)
    wide = tuple(_side_by_side(group, wires) for group in groups)

    def restore(results: Sequence[Any]) -> tuple[Any, ...]:
        separate: list[Any] = []
        for group, result in zip(groups, results, strict=True):
            values = list(result) if sum(len(tape.measurements) for tape in group) > 1 else [result]
            for tape in group:
                count = len(tape.measurements)
                mine, values = values[:count], values[count:]
                separate.append(mine[0] if count == 1 else tuple(mine))
        return tuple(separate)

    return wide, restore


def _check(tape: QuantumScript, wires: int) -> None:
    foreign = [wire for wire in tape.wires if wire not in range(wires)]
    if foreign or any(not m.wires for m in tape.measurements):
        raise ArgumentError(
            f"cannot pack a circuit on wires {tape.wires.tolist()} with measurements {tape.measurements}: expected "
            f"wires 0 to {wires - 1} only, and measurements that name theirs"
        )


def _side_by_side(group: Tapes, wires: int) -> QuantumScript:
    operations, measurements = [], []
    for position, tape in enumerate(group):
        moved = {wire: wire + position * wires for wire in range(wires)}
        operations += [operation.map_wires(moved) for operation in tape.operations]
        measurements += [measurement.map_wires(moved) for measurement in tape.measurements]
    return QuantumScript(operations, measurements, shots=group[0].shots)


@qml.transform
def side_by_side(tape: QuantumScript, blocks: int, wires: int = 2) -> tuple[tuple[QuantumScript, ...], Restore]:
    """Expand a broadcast circuit and lay its samples side by side; a PennyLane transform for any QNode.

    Args:
        tape: a circuit on wires 0 to ``wires`` - 1, with or without a batch dimension.
        blocks: most samples in one wide circuit.
        wires: wires of one sample.

    Returns:
        the wide circuits and the function that restores the broadcast result.
    """
    if tape.batch_size is None:
        return (tape,), lambda results: results[0]
    narrow, rebroadcast = qml.transforms.broadcast_expand(tape)
    wide, restore = pack_tapes(narrow, blocks, wires)
    return wide, lambda results: rebroadcast(restore(results))


class Packed(Delegate):
    """Runs circuits side by side on another device; also those that a gradient transform made.

    A device's own derivatives are left unpacked: the Jacobian of a wide circuit is block-diagonal, and computing its
    zeros costs more than packing saves.

    Args:
        inner: the device, with wires enough.
        blocks: most blocks in one circuit.
        wires: wires of a block.
        in_tuple: whether the inner device's preprocessing expects single results in tuples of one.
    """

    def __init__(self, inner: Device, blocks: int, wires: int, in_tuple: bool = False) -> None:
        super().__init__(inner)
        self.blocks = blocks
        self.block_wires = wires
        self.in_tuple = in_tuple

    def execute(self, circuits: Any, execution_config: Any = None) -> Any:
        """Results of each circuit, run side by side."""
        if isinstance(circuits, QuantumScript):
            return self.execute((circuits,), execution_config)[0]
        wide, restore = pack_tapes(circuits, self.blocks, self.block_wires)
        results = self.inner.execute(wide, execution_config)
        if not self.in_tuple:
            return restore(results)
        plain = [r[0] if len(tape.measurements) == 1 else r for r, tape in zip(results, wide, strict=True)]
        return tuple((r,) if len(t.measurements) == 1 else r for r, t in zip(restore(plain), circuits, strict=True))
