"""A head's response tensors measured on a device, once: from then on that machine's noise is part of the head.

Nine circuits a block are run in packs. Every finished pack is on disk before the next is sent, so an interruption or a
failed job loses nothing and sends nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hybrid_qproj._util.files import OutputError, writing
from hybrid_qproj._util.locks import exclusive
from hybrid_qproj.blocks.executor import BlockExecutor
from hybrid_qproj.blocks.response import PROBES_PER_BLOCK, fit_response, probe_angles, response_errors
from hybrid_qproj.devices import DeviceRunError, DeviceSpec
from hybrid_qproj.devices.backends import backend_properties
from hybrid_qproj.devices.wrappers.seeding import circuit_seed
from hybrid_qproj.estimate import check_runs
from hybrid_qproj.heads.checkpoint import CheckpointError
from hybrid_qproj.heads.quantum import QuantumProjection
from hybrid_qproj.measurement.packs import Packs, check_values
from hybrid_qproj.measurement.record import FORMAT, check_same, plain, plan_digest, weights_digest
from hybrid_qproj.measurement.result import Calibration

__all__ = ["Calibration", "calibrate"]

BLOCKS_PER_PACK = 16
"""Blocks between two writes: 144 circuits, or a job or two on a real machine."""


def calibrate(
    head: QuantumProjection,
    device: str | DeviceSpec,
    path: str | Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
    allow_paid: bool = False,
) -> Calibration:
    """Measure a head's blocks on a device, or go on with a measurement that was interrupted.

    Args:
        head: the trained head; it is not changed.
        device: device string. Its seed, if there is one, gives every pack noise of its own, the same in every run.
        path: the file to write. Until it is complete, finished packs wait in the folder ``path + ".packs"``.
        progress: called with the number of blocks measured and their total.
        allow_paid: whether the device may be one that can cost money.

    Returns:
        the calibration, as written; one that was completed before is returned as it is, and nothing is sent.

    Raises:
        CheckpointError: a calibration, or packs, of another head or device are in the way.
        PaidDeviceError: the device can cost money and is not allowed; the message counts the circuits.
        DeviceUnavailableError: the device cannot be built.
        DeviceRunError: a job failed; finished packs stay.
    """
    spec = DeviceSpec.parse(device)
    path = Path(path)
    weights = head.block_weights().detach().double().cpu()
    if not bool(weights.isfinite().all()):
        raise CheckpointError("the head has weights that are not finite; nothing was measured")
    claim = {
        "format": FORMAT,
        "device": str(spec),
        "circuit": head.circuit,
        "weights": weights_digest(weights),
        "blocks_per_pack": BLOCKS_PER_PACK,
        "plan": plan_digest(head),
    }
    packs = Packs(path.with_name(path.name + ".packs"), claim)
    if path.exists():
        done = _finished(path, packs, claim)
        # What a writer that was killed at its last step left; where nothing can be written, nothing was left.
        with suppress(OutputError), _alone(path):
            return done
        return done
    # Before anything is written: a device that cannot be built leaves nothing behind.
    check_runs(head, spec, allow_paid)
    executor = BlockExecutor(head.ansatz, spec, allow_paid=allow_paid)
    backend = backend_properties(executor.device)
    with _alone(path):
        if path.exists():
            return _finished(path, packs, claim)
        started = packs.open()
        pieces = []
        for number, start in enumerate(range(0, len(weights), BLOCKS_PER_PACK)):
            progress(start, len(weights))
            pieces.append(_pack(packs, executor, weights[start:][:BLOCKS_PER_PACK], number))
        progress(len(weights), len(weights))
        values = torch.cat(pieces)
        variances = torch.zeros_like(values) if spec.shots is None else (1 - values.square()).clamp_min(0) / spec.shots
        record = {
            **claim,
            "shots": spec.shots,
            "blocks": len(weights),
            "backend": backend,
            "date": started,
            "versions": {name: version(name) for name in ("hybrid-qproj", "pennylane", "torch")},
        }
        calibration = Calibration(fit_response(values), response_errors(variances), weights, plain(record))
        calibration.save(path)
        packs.remove()
    return calibration


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let nobody else measure for this file."""
    with ExitStack() as stack:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(exclusive(path.with_name(f".{path.name}.lock"), str(path)))
        yield


def _finished(path: Path, packs: Packs, claim: dict[str, Any]) -> Calibration:
    """A measurement that was completed before, if it is this one."""
    if not path.is_file():
        raise CheckpointError(f"{str(path)!r} is a folder; choose a file to write")
    done = Calibration.load(path)
    check_same(claim, done.record, path)
    packs.remove()
    return done


def _pack(packs: Packs, executor: BlockExecutor, weights: Tensor, number: int) -> Tensor:
    """Values of some blocks at the nine probes, (blocks, 9): from disk if they are there."""
    found = packs.read(number, len(weights), PROBES_PER_BLOCK)
    if found is not None:
        return found
    spec = executor.spec
    if spec.seed is not None:
        # A pack's noise must not depend on which packs ran before it in this process.
        seed = circuit_seed(spec.seed, number)
        executor = BlockExecutor(executor.ansatz, spec.replace(seed=seed), allow_paid=executor.allow_paid)
    with torch.no_grad():
        values = executor(
            probe_angles(weights).repeat(len(weights), 1), weights.repeat_interleave(PROBES_PER_BLOCK, dim=0)
        )
    values = values.unflatten(0, (len(weights), PROBES_PER_BLOCK))
    try:
        check_values(values)
    except ValueError as error:
        raise DeviceRunError(f"pack {number}, device {str(spec)!r}: {error}; finished packs stay") from error
    packs.write(number, values)
    return values
