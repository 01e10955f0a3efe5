"""A head's response tensors measured on a device, once: from then on that machine's noise is part of the head.

Nine circuits a block are run in packs. Every finished pack is on disk before the next is sent, so an interruption or a
failed job loses nothing and sends nothing twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from hybrid_qproj._util.files import OutputError, writing
from hybrid_qproj._util.folders import is_file
from hybrid_qproj._util.locks import exclusive
from hybrid_qproj._util.schema import validated
from hybrid_qproj._util.tensors import Form, read_metadata, read_tensors, save_tensors
from hybrid_qproj.blocks.executor import BlockExecutor
from hybrid_qproj.blocks.response import PROBES_PER_BLOCK, fit_response, probe_angles, response_errors
from hybrid_qproj.devices import DeviceRunError, DeviceSpec
from hybrid_qproj.devices.backends import backend_properties
from hybrid_qproj.devices.wrappers.seeding import circuit_seed
from hybrid_qproj.estimate import check_runs
from hybrid_qproj.heads.checkpoint import CheckpointError
from hybrid_qproj.heads.quantum import QuantumProjection
from hybrid_qproj.measurement.packs import Packs, check_values
from hybrid_qproj.measurement.record import (
    FORMAT,
    FORMER,
    Record,
    check_same,
    plain,
    plan_digest,
    record_seal,
    weights_digest,
)

BLOCKS_PER_PACK = 16
"""Blocks between two writes: 144 circuits, or a job or two on a real machine."""
LARGEST = 4.0
"""Of an entry of a response: 16/9 where every expectation value lies in [-1, 1], more where readout is corrected."""


@dataclass(frozen=True)
class Calibration:
    """Response tensors measured on a device.

    Args:
        responses: R of every block of every stage, (blocks, 3, 3), float64. Least squares over the nine probes, which
            with nine unknowns is their interpolation.
        errors: standard error of each entry, same shape, propagated from the shots; 0 where the device is exact.
        weights: the raw weights that were measured, (blocks, parameters).
        record: device string, shots, date, versions, backend properties and the format, as plain values.
    """

    responses: Tensor
    errors: Tensor
    weights: Tensor
    record: dict[str, Any]

    def save(self, path: str | Path) -> None:
        """Write to a safetensors file, whole or not at all; record and numbers are bound by a digest.

        Raises:
            CheckpointError: the numbers are no calibration.
            OutputError: the file cannot be written; an older one is unchanged.
        """
        record = plain(self.record)
        self._check()
        tensors = {"responses": self.responses, "errors": self.errors, "weights": self.weights}
        save_tensors(Path(path), tensors, {"record": record, "digest": record_seal(record, tensors)})

    def apply(self, head: QuantumProjection) -> QuantumProjection:
        """Make a head serve with these responses: any number of documents, no circuit, the machine's noise included.

        Measured responses can lead out of the Bloch sphere; the rule is that every block's z is clipped to [-1, 1].

        Args:
            head: the head that was measured, or a copy with the same weights.

        Returns:
            the head itself, its weights frozen.

        Raises:
            ValueError: another circuit, other weights or another plan were measured, or numbers are not finite.
        """
        self._check()
        if head.circuit != self.record["circuit"]:
            raise ValueError(f"circuit {self.record['circuit']!r} was measured; the head has {head.circuit!r}")
        same_weights = torch.equal(head.block_weights().detach().double().cpu(), self.weights)
        if same_weights and self.record.get("plan") not in (None, plan_digest(head)):
            raise CheckpointError(
                "a head of these weights but of another plan was measured; calibrate this one, or load the one measured"
            )
        return head.use_responses(self.weights, self.responses)

    def _check(self) -> None:
        """Refuse numbers that no measurement gives.

        Raises:
            CheckpointError: shapes do not fit, or a number is not finite or too large.
        """
        blocks = len(self.responses)
        shapes = tuple(map(tuple, (self.responses.shape, self.errors.shape, self.weights.shape[:1])))
        if shapes != ((blocks, 3, 3), (blocks, 3, 3), (blocks,)) or self.weights.dim() != 2:  # noqa: PLR2004 - a matrix
            raise CheckpointError(
                f"a calibration of responses {shapes[0]}, errors {shapes[1]} and weights {tuple(self.weights.shape)}; "
                "expected (blocks, 3, 3) twice and (blocks, parameters)"
            )
        for name, tensor, low, high in (
            ("responses", self.responses, -LARGEST, LARGEST),
            ("errors", self.errors, 0, math.inf),
            ("weights", self.weights, -math.inf, math.inf),
        ):
            sound = tensor.isfinite() & (tensor >= low) & (tensor <= high)
            if not bool(sound.all()):
                block = int((~sound).nonzero()[0, 0])
                raise CheckpointError(f"the {name} of block {block} hold a number that is not finite, or out of range")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a file that `save` wrote.

        Raises:
            CheckpointError: the file is missing, damaged, or something else.
        """
        path = Path(path)
        if not is_file(path):
            raise CheckpointError(f"there is no calibration file {str(path)!r}")
        try:
            metadata = read_metadata(path)
            record = metadata.get("record")
            form = record.get("format") if isinstance(record, dict) else None
            if not isinstance(record, dict) or form not in (FORMAT, FORMER):
                raise CheckpointError(f"{path} is no calibration: expected format {FORMAT!r}, got {form!r:.60}")
            blocks = validated(Record, record).blocks
            response, number = Form((blocks, 3, 3), (torch.float64,)), Form(None, (torch.float64,))
            tensors = read_tensors(path, {"responses": response, "errors": response, "weights": number})
            found = cls(tensors["responses"], tensors["errors"], tensors["weights"], record)
            found._check()
            if weights_digest(found.weights) != record["weights"]:
                raise ValueError("its weights do not fit its record")
            if form == FORMAT and metadata.get("digest") != record_seal(record, tensors):
                raise ValueError("its numbers do not fit its digest")
        except CheckpointError as error:
            raise CheckpointError(f"{error}" if str(path) in str(error) else f"{path} is damaged: {error}") from error
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{path} is damaged ({error}); calibrate again") from error
        return found


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
