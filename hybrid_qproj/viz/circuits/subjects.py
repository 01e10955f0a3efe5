"""What can be drawn: a block, a stage, one output's whole group of blocks, as tapes of the circuits that run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import pennylane as qml
from pennylane.operation import Operation, Operator
from torch import Tensor

from hybrid_qproj.circuits import Ansatz, get
from hybrid_qproj.plan import Plan
from hybrid_qproj.viz.circuits.errors import DrawingError
from hybrid_qproj.viz.circuits.gates import Gate, Slot, constants
from hybrid_qproj.viz.circuits.sheet import Block, Sheet, block_names
from hybrid_qproj.viz.circuits.symbols import Symbols
from hybrid_qproj.viz.circuits.tracing import numbered_gates, symbolic_gates


class Reprepare(Operation):
    """The kept qubit is measured many times, and goes on as RY(theta') with cos(theta') = <Z>."""

    num_wires = 1
    num_params = 0
    ndim_params = ()

    def __init__(self, wires: int, name: str) -> None:
        self.angle = name
        super().__init__(wires=wires)

    def label(self, decimals: int | None = None, base_label: str | None = None, cache: dict | None = None) -> str:  # type: ignore[type-arg]  # PennyLane's own signature
        """For drawers that know nothing of it."""
        return "⟨Z⟩→RY"


@dataclass(frozen=True)
class Picture:
    """A circuit to draw.

    Args:
        operations: in the order in which they act.
        wires: a label a wire, from the top.
        read: the wires whose Pauli Z is read at the end.
        symbols: names that expressions of gates' numbers use.
        title: for people.
        slots: of each operation, its numbers as expressions of the symbols; empty for circuits of numbers.
        blocks: where the gates of its blocks with symbols are.
    """

    operations: tuple[Operator, ...]
    wires: tuple[str, ...]
    read: tuple[int, ...]
    symbols: Symbols
    title: str
    slots: tuple[tuple[Slot, ...], ...] = ()
    blocks: tuple[Block, ...] = ()

    @property
    def gates(self) -> list[Gate]:
        """Each operation with its numbers."""
        slots = self.slots or tuple(constants(operation) for operation in self.operations)
        return list(zip(self.operations, slots, strict=True))

    @property
    def tape(self) -> qml.tape.QuantumScript:
        """The circuit as PennyLane has it."""
        return qml.tape.QuantumScript(self.operations, [qml.expval(qml.Z(wire)) for wire in self.read])


def block_picture(circuit: str | Ansatz, weights: Tensor | None = None) -> Picture:
    """A block with its encoding.

    Args:
        circuit: ansatz.
        weights: raw weights, (parameters,), to draw numbers; None for symbols.

    Returns:
        the picture.

    Raises:
        AnsatzError: the ansatz is not known.
        DrawingError: the weights are not those of one block.
    """
    ansatz = get(circuit)
    gates = _gates(ansatz, weights)
    sheet = Sheet(ansatz.parameter_names if weights is None else ())
    for wire, qubit in enumerate(("c", "b")):
        symbol = sheet.encoding("x", qubit, f"the RY angle that encodes the feature of wires[{wire}]", -math.pi / 2)
        sheet.rotate(wire, symbol, 1)
    sheet.block(ansatz, gates, range(ansatz.wires), None if weights is not None else ansatz.parameter_names)
    labels = ["control", "kept", *(f"ancilla {i}" for i in range(1, ansatz.wires - 1))]
    return _picture(sheet, labels, (ansatz.kept,), f"block {ansatz.name}")


def stage_picture(
    circuit: str | Ansatz,
    plan: Plan,
    stage: int = 0,
    weights: Tensor | None = None,
    blocks: Sequence[int] | None = None,
) -> Picture:
    """Blocks of a stage, each with the encoding or re-preparation of its qubits and its readout.

    Each block has wires of its own: where several blocks read a qubit, it is prepared for each of them.

    Args:
        circuit: ansatz.
        plan: the head's plan.
        stage: which stage, from 0.
        weights: raw weights of the stage, (blocks, parameters), to draw numbers; None for symbols.
        blocks: which of its blocks; the first two and the last when None.

    Returns:
        the picture.

    Raises:
        AnsatzError: the ansatz is not known.
        DrawingError: there is no such stage or block.
    """
    ansatz = get(circuit)
    if not 0 <= stage < len(plan.stages):
        raise DrawingError(f"stage={stage}: the plan has stages 0 to {len(plan.stages) - 1}")
    chosen, count = plan.stages[stage], len(plan.stages[stage])
    shown = sorted({0, min(1, count - 1), count - 1}) if blocks is None else list(blocks)
    if wrong := [block for block in shown if not 0 <= block < count]:
        raise DrawingError(f"block {wrong[0]}: stage {stage} has blocks 0 to {count - 1}")
    written = plan.written_before(stage)
    pairs = [chosen.pairs[block] for block in shown]
    every = {block: block_names(ansatz.parameter_names, block + 1) for block in shown} if weights is None else {}
    sheet = Sheet(chain(*every.values()))
    touched = dict.fromkeys(chain(*pairs))
    theta = {qubit: sheet.angle_of(qubit, "theta'" if qubit in written else "theta") for qubit in touched}
    labels: list[str] = []
    traced = _gates(ansatz, None) if weights is None else []
    for block, qubits in zip(shown, pairs, strict=True):
        wires = range(len(labels), len(labels) + ansatz.wires)
        labels += [f"x_{qubit + 1}" for qubit in qubits] + [f"ancilla {i}" for i in range(1, ansatz.wires - 1)]
        for qubit, wire in zip(qubits, wires, strict=False):
            # What a block wrote goes on as RY(+theta'), the encoding is RY(-theta).
            sheet.rotate(wire, theta[qubit], 1 if qubit in written else -1)
        gates = traced if weights is None else _gates(ansatz, weights[block])
        sheet.block(ansatz, gates, wires, every.get(block))
    reads = tuple(range(ansatz.kept, len(labels), ansatz.wires))
    title = f"blocks {', '.join(str(block) for block in shown)} of stage {stage} of {plan!r}, {ansatz.name}"
    return _picture(sheet, labels, reads, title)


def group_picture(
    circuit: str | Ansatz, plan: Plan, output: int = 0, weights: Sequence[Tensor] | None = None
) -> Picture:
    """Everything that one output of a head is made of: encoding, blocks, readout and re-preparation in between.

    Args:
        circuit: ansatz.
        plan: the head's plan.
        output: which output, 0 to k - 1.
        weights: raw weights, (blocks, parameters) a stage, to draw numbers; None for symbols.

    Returns:
        the picture; its wires are the features that merge into the output.

    Raises:
        AnsatzError: the ansatz is not known.
        PlanError: there is no such output.
        DrawingError: the ansatz has wires beyond two.
    """
    ansatz = get(circuit)
    blocks, features = plan.ancestry(output)
    if ansatz.wires != 2:  # noqa: PLR2004 - control and kept qubit
        raise DrawingError(f"ansatz {ansatz.name!r} has {ansatz.wires} wires; a group is drawn for blocks of two")
    wire = {feature: number for number, feature in enumerate(sorted(features))}
    names = [block_names(ansatz.parameter_names, count) if weights is None else () for count in _counted(blocks)]
    sheet = Sheet(chain(*names))
    for feature, number in wire.items():
        sheet.rotate(number, sheet.angle_of(feature, "theta"), -1)
    traced = _gates(ansatz, None) if weights is None else []
    for count, (stage, block) in zip(_counted(blocks), blocks, strict=True):
        control, kept = (wire[qubit] for qubit in plan.stages[stage].pairs[block])
        gates = traced if weights is None else _gates(ansatz, weights[stage][block])
        sheet.block(ansatz, gates, (control, kept), None if weights is not None else names[count - 1])
        if count < len(blocks):
            sheet.add(Reprepare((control, kept)[ansatz.kept], sheet.free("theta'", str(count))))
    labels = [f"x_{feature + 1}" for feature in sorted(features)]
    return _picture(sheet, labels, (wire[plan.output[output]],), f"output {output} of {plan!r}, {ansatz.name}")


def _counted(blocks: Sequence[object]) -> range:
    return range(1, len(blocks) + 1)


def _picture(sheet: Sheet, labels: Sequence[str], read: tuple[int, ...], title: str) -> Picture:
    return Picture(
        tuple(sheet.operations),
        tuple(labels),
        read,
        Symbols(sheet.symbols),
        title,
        tuple(sheet.slots),
        tuple(sheet.blocks),
    )


def _gates(ansatz: Ansatz, weights: Tensor | None) -> list[Gate]:
    """Gates of a block from its own quantum function: with symbols, or with a trained block's numbers."""
    if weights is None:
        return symbolic_gates(ansatz)
    if tuple(weights.shape) != (ansatz.parameters,):
        raise DrawingError(
            f"got weights of shape {tuple(weights.shape)}; a block of {ansatz.name!r} has {ansatz.parameters} "
            "parameters"
        )
    return numbered_gates(ansatz, weights)
