"""What can be drawn: a block, a stage, one output's whole group of blocks, as tapes of the circuits that run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import pennylane as qml
import torch
from pennylane.operation import Operation, Operator
from torch import Tensor

from hybrid_qproj.circuits import Ansatz, get
from hybrid_qproj.drawing.symbols import Symbols, random_angles
from hybrid_qproj.plan import Plan
from hybrid_qproj.qnodes import BlockCircuit


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
        symbols: names of the angles.
        title: for people.
    """

    operations: tuple[Operator, ...]
    wires: tuple[str, ...]
    read: tuple[int, ...]
    symbols: Symbols
    title: str

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
        ValueError: the weights are not those of one block.
    """
    ansatz = get(circuit)
    names = ("x_c", "x_b")
    angles = random_angles(names)
    symbols = dict(zip(names, angles.tolist(), strict=True))
    operations, values = _block(ansatz, weights, angles.tolist(), range(ansatz.wires))
    symbols.update(values)
    labels = ["control", "kept", *(f"ancilla {i}" for i in range(1, ansatz.wires - 1))]
    return Picture(tuple(operations), tuple(labels), (ansatz.kept,), Symbols(symbols), f"block {ansatz.name}")


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
        ValueError: there is no such stage or block.
    """
    ansatz = get(circuit)
    if not 0 <= stage < len(plan.stages):
        raise ValueError(f"stage={stage}: the plan has stages 0 to {len(plan.stages) - 1}")
    chosen, count = plan.stages[stage], len(plan.stages[stage])
    shown = sorted({0, min(1, count - 1), count - 1}) if blocks is None else list(blocks)
    if wrong := [block for block in shown if not 0 <= block < count]:
        raise ValueError(f"block {wrong[0]}: stage {stage} has blocks 0 to {count - 1}")
    written = {qubit for before in plan.stages[:stage] for qubit in before.kept}
    pairs = [(chosen.control[block], chosen.kept[block]) for block in shown]
    theta = {qubit: f"theta'_{qubit + 1}" if qubit in written else f"theta_{qubit + 1}" for qubit in chain(*pairs)}
    symbols = dict(zip(theta.values(), random_angles(tuple(theta.values()), seed=1).tolist(), strict=True))
    operations: list[Operator] = []
    labels: list[str] = []
    for block, qubits in zip(shown, pairs, strict=True):
        wires = range(len(labels), len(labels) + ansatz.wires)
        labels += [f"x_{qubit + 1}" for qubit in qubits] + [f"ancilla {i}" for i in range(1, ansatz.wires - 1)]
        # What a block wrote goes on as RY(+theta'), the encoding is RY(-theta).
        signs = [1 if qubit in written else -1 for qubit in qubits]
        operations += [
            qml.RY(sign * symbols[theta[qubit]], wires=wire)
            for sign, qubit, wire in zip(signs, qubits, wires, strict=False)
        ]
        raw = None if weights is None else weights[block]
        gates, values = _block(ansatz, raw, None, wires, suffix=str(block + 1))
        operations += gates
        symbols.update(values)
    reads = tuple(range(ansatz.kept, len(labels), ansatz.wires))
    title = f"blocks {', '.join(str(block) for block in shown)} of stage {stage} of {plan!r}, {ansatz.name}"
    return Picture(tuple(operations), tuple(labels), reads, Symbols(symbols), title)


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
        ValueError: there is no such output, or the ansatz has wires beyond two.
    """
    ansatz = get(circuit)
    blocks, features = ancestry(plan, output)
    if ansatz.wires != 2:  # noqa: PLR2004 - control and kept qubit
        raise ValueError(f"ansatz {ansatz.name!r} has {ansatz.wires} wires; a group is drawn for blocks of two")
    wire = {feature: number for number, feature in enumerate(sorted(features))}
    names = tuple(f"theta_{feature + 1}" for feature in sorted(features))
    angles = random_angles(names, seed=1)
    symbols = dict(zip(names, angles.tolist(), strict=True))
    operations: list[Operator] = [qml.RY(-angle, wires=number) for number, angle in enumerate(angles)]
    for count, (stage, block) in enumerate(blocks, start=1):
        control, kept = wire[plan.stages[stage].control[block]], wire[plan.stages[stage].kept[block]]
        raw = None if weights is None else weights[stage][block]
        gates, values = _block(ansatz, raw, None, (control, kept), suffix=str(count))
        symbols.update(values)
        operations += gates
        read = (control, kept)[ansatz.kept]
        if count < len(blocks):
            operations.append(Reprepare(read, f"theta'_{count}"))
    final = wire[plan.output[output]]
    labels = tuple(f"x_{feature + 1}" for feature in sorted(features))
    return Picture(tuple(operations), labels, (final,), Symbols(symbols), f"output {output} of {plan!r}, {ansatz.name}")


def ancestry(plan: Plan, output: int) -> tuple[list[tuple[int, int]], set[int]]:
    """What an output of a head is made of.

    Args:
        plan: the head's plan.
        output: which output, 0 to k - 1.

    Returns:
        stage and number of the blocks that it depends on, first to last, and the features that reach it.

    Raises:
        ValueError: there is no such output.
    """
    if not 0 <= output < len(plan.output):
        raise ValueError(f"output={output}: the plan has outputs 0 to {len(plan.output) - 1}")
    needed, blocks = {plan.output[output]}, []
    for number in reversed(range(len(plan.stages))):
        stage = plan.stages[number]
        mine = [g for g in range(len(stage)) if stage.kept[g] in needed]
        blocks += [(number, g) for g in reversed(mine)]
        needed |= {stage.control[g] for g in mine}
    return blocks[::-1], needed


def _block(
    ansatz: Ansatz,
    weights: Tensor | None,
    inputs: Sequence[float] | None,
    wires: Sequence[int],
    suffix: str = "",
) -> tuple[list[Operator], dict[str, float]]:
    """Gates of a block from its own quantum function, and the names of their angles."""
    if weights is not None and tuple(weights.shape) != (ansatz.parameters,):
        raise ValueError(
            f"got weights of shape {tuple(weights.shape)}; a block of {ansatz.name!r} has {ansatz.parameters} "
            "parameters"
        )
    raw = weights
    if raw is None:
        # Raw weights that give angles which tell the parameters apart, whatever the ansatz makes of raw weights.
        raw = torch.from_numpy(random_angles(ansatz.parameter_names, seed=2 + int(suffix or 0)))
    raw = raw.detach().double().cpu()
    with qml.queuing.AnnotatedQueue() as queue:
        BlockCircuit(ansatz)(torch.tensor(inputs or (0.0, 0.0), dtype=torch.float64), raw)
    tape = qml.tape.QuantumScript.from_queue(queue)
    gates = [gate.map_wires(dict(enumerate(wires))) for gate in tape.operations[0 if inputs else 2 :]]
    if weights is not None:
        return gates, {}
    values = ansatz.angles(raw).tolist()
    return gates, {f"{name}{suffix}": v for name, v in zip(_named(ansatz.parameter_names, suffix), values, strict=True)}


def _named(names: Sequence[str], suffix: str) -> list[str]:
    """Names to which a block's number can be added: alpha becomes alpha_ and then alpha_3."""
    return [name if not suffix or "_" in name else f"{name}_" for name in names]
