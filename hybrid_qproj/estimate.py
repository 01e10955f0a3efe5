"""What a head will cost on a device: circuits, shots, wires, gates, memory and price. Nothing is sent anywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hybrid_qproj._util.extras import MissingExtraError
from hybrid_qproj.blocks.counting import count_circuits, example_circuit
from hybrid_qproj.blocks.executor import CIRCUITS_PER_CALL
from hybrid_qproj.blocks.response import PROBES_PER_BLOCK
from hybrid_qproj.devices import (
    ADAPTERS,
    DeviceSpec,
    DeviceUnavailableError,
    blocks_per_circuit,
    can_cost,
    check_usable,
    installed_devices,
)
from hybrid_qproj.devices.adapters import Compiled
from hybrid_qproj.devices.backends import usable_qubits
from hybrid_qproj.devices.checks import check_known, check_request
from hybrid_qproj.devices.compilation import compile_for, machine_snapshot
from hybrid_qproj.devices.cost import check_allowed, count
from hybrid_qproj.devices.size import check_wires, state_bytes
from hybrid_qproj.devices.spec import MODES
from hybrid_qproj.errors import HybridQprojError
from hybrid_qproj.heads.base import Head
from hybrid_qproj.heads.circuit import CircuitHead
from hybrid_qproj.heads.quantum import QuantumProjection


class EstimateError(HybridQprojError, ValueError):
    """What cannot be estimated as asked."""


@dataclass(frozen=True)
class Run:
    """One way to run a head.

    Args:
        mode: ``"interpolated"`` or ``"direct"``.
        pack: blocks side by side in one circuit.
        circuits: circuits in all; interpolated mode runs them once for given weights, however many documents follow.
        shots: circuit repetitions in all; None where results are exact.
        wires: wires of one circuit.
        depth: gate layers of one full circuit, compiled.
        two_qubit_gates: of one full circuit, compiled.
        memory: bytes of the simulated state, the whole batch where the device batches; None for a machine.
        price: in the currency of the prices given; None without prices.
    """

    mode: str
    pack: int
    circuits: int
    shots: int | None
    wires: int
    depth: int
    two_qubit_gates: int
    memory: int | None
    price: float | None


@dataclass(frozen=True)
class Estimate:
    """What a head will cost on a device.

    Args:
        device: device string.
        target: what the circuits were compiled for, in words.
        circuit: name of the ansatz.
        blocks: blocks of the head.
        documents: documents to project.
        runs: each mode, unpacked and, where the device takes more than one block a circuit, packed.
        notes: what the figures assume, a sentence each.
    """

    device: str
    target: str
    circuit: str
    blocks: int
    documents: int
    runs: tuple[Run, ...]
    notes: tuple[str, ...]


def estimate(
    head: QuantumProjection,
    device: str | DeviceSpec,
    documents: int = 1,
    price_per_shot: float | None = None,
    price_per_task: float | None = None,
) -> Estimate:
    """Estimate what a head will cost on a device.

    Args:
        head: the head; its weights are compiled, so gates that they make trivial are not counted.
        device: device string; its own ``mode`` does not matter. It need not be installed, unless it has a
            compiler of its own.
        documents: documents to project in one call, at least 1.
        price_per_shot: the vendor's price of a shot, for devices that can cost money.
        price_per_task: the vendor's price of a circuit.

    Returns:
        the estimate.

    Raises:
        EstimateError: ``documents`` or a price is out of range, or a price is given for a device that costs nothing.
        DeviceSpecError: the device string cannot be read.
        DeviceUnavailableError: the device is not known, samples and has no ``shots``, or its backend does not exist.
        MissingExtraError: the device has a compiler of its own, such as qiskit's, which is not installed.
    """
    spec = DeviceSpec.parse(device)
    check_known(spec.name)
    check_request(spec)
    prices = _checked_prices(spec, documents, price_per_shot, price_per_task)
    wires = head.ansatz.wires
    check_wires(spec, spec.pack or 1, wires)
    backend = machine_snapshot(spec)
    weights = head.block_weights()
    packs = sorted({1, blocks_per_circuit(spec, wires, usable_qubits(backend, wires))})
    compiled = {pack: compile_for(example_circuit(head.ansatz, weights, pack), spec) for pack in packs}
    runs = tuple(
        _run(spec, mode, pack, rows_of(head, mode, documents), compiled[pack], prices)
        for mode in MODES
        for pack in packs
    )
    notes = _notes(spec, compiled[1], packs[-1], known=backend is not None)
    return Estimate(str(spec), compiled[1].target, head.ansatz.name, head.plan.blocks, documents, runs, notes)


def check_runs(
    head: Head, device: str | DeviceSpec | None = None, allow_paid: bool = False, documents: int = 1
) -> None:
    """Refuse before work begins what would be refused at the first circuit; nothing is built or contacted.

    Args:
        head: the head that is to run. One without circuits always may.
        device: where, if not on the head's own device.
        allow_paid: whether ``device`` may be one that can cost money; of its own device the head knows.
        documents: documents of one forward pass.

    Raises:
        PaidDeviceError: the device can cost money and is not allowed; the message says what would run.
        DeviceUnavailableError: the device is not usable. A saved head's own that costs nothing is not looked at, since
            default.qubit stands in for it.
    """
    if not isinstance(head, CircuitHead):
        return
    spec = head.device if device is None else DeviceSpec.parse(device)
    allowed = head.allow_paid if device is None else allow_paid
    replaceable = device is None and head.replaceable
    if not replaceable:
        check_known(spec.name)
    if can_cost(spec) and not allowed and spec.name in (*ADAPTERS, *installed_devices()):
        check_allowed(spec, allowed, _work(head, spec, documents))
    if not replaceable:
        check_usable(spec, head.ansatz.wires)


def rows_of(head: QuantumProjection, mode: str, documents: int) -> tuple[int, ...]:
    """Block circuits of each call to the device.

    Args:
        head: the head.
        mode: ``"interpolated"`` or ``"direct"``.
        documents: documents of one forward pass.

    Returns:
        the probes of all blocks in one call, or the blocks of each stage, which has to wait for the one before it.
    """
    if mode == "interpolated":
        return (PROBES_PER_BLOCK * head.plan.blocks,)
    return tuple(len(stage) * documents for stage in head.plan.stages)


def _run(
    spec: DeviceSpec,
    mode: str,
    pack: int,
    rows: tuple[int, ...],
    compiled: Compiled,
    prices: tuple[float, float] | None,
) -> Run:
    circuits = count_circuits(rows, pack)
    shots = None if spec.shots is None else circuits * spec.shots
    memory = state_bytes(spec, compiled.wires)
    if memory is not None and spec.adapter.batches and pack == 1:
        memory *= min(max(rows), CIRCUITS_PER_CALL)
    price = None if prices is None else prices[0] * (shots or 0) + prices[1] * circuits
    if price is not None and not math.isfinite(price):
        raise EstimateError(f"{count(circuits, spec.shots)}: at these prices that is no finite number")
    return Run(mode, pack, circuits, shots, compiled.wires, compiled.depth, compiled.two_qubit_gates, memory, price)


def _work(head: CircuitHead, spec: DeviceSpec, documents: int) -> str:
    """What a forward pass would run, in words: as estimated, or blocks alone where no estimate can be made."""
    try:
        if isinstance(head, QuantumProjection):
            runs = [run for run in estimate(head, spec, documents).runs if run.mode == spec.mode]
            run = runs[-1]
            text = f"{count(run.circuits, spec.shots)}, each {run.depth} layers deep on {run.wires} wires"
            return text if spec.mode == "interpolated" else f"{text}, for {documents:,} documents"
    except (DeviceUnavailableError, MissingExtraError):
        pass
    return f"{count(PROBES_PER_BLOCK * head.plan.blocks, spec.shots)} at least"


def _checked_prices(
    spec: DeviceSpec, documents: int, per_shot: float | None, per_task: float | None
) -> tuple[float, float] | None:
    if documents < 1:
        raise EstimateError(f"documents={documents}: expected at least 1")
    if per_shot is None and per_task is None:
        return None
    if not can_cost(spec):
        raise EstimateError(f"device {str(spec)!r} costs nothing; leave the prices out")
    prices = (per_shot or 0.0, per_task or 0.0)
    if not all(math.isfinite(price) and price >= 0 for price in prices):
        raise EstimateError(f"prices {prices[0]} a shot and {prices[1]} a task: expected numbers of at least 0")
    return prices


def _notes(spec: DeviceSpec, compiled: Compiled, pack: int, known: bool) -> tuple[str, ...]:
    notes = ["Interpolated: once for given weights. Direct: for these documents in one call."]
    adapter = spec.adapter
    if adapter.backends is not None and not spec.is_snapshot:
        notes.append(
            f"Compiled for the snapshot {compiled.target}; the machine itself was not looked up."
            if known
            else "The machine was not looked up and there is no snapshot of it: routing between qubits is left out."
        )
    if pack == 1 and adapter.pack is None:
        notes.append("The machine's qubits are not known here: give pack=N or wires=N for blocks side by side.")
    elif pack == 1:
        notes.append("One block a circuit is this device's choice: pack=N in its string changes that.")
    if adapter.compiler is None:
        notes.append("Gates before the device's own compiler, which may save some.")
    return tuple(notes)
