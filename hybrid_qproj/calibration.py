"""A head's response tensors measured on a device, once: from then on that machine's noise is part of the head.

Nine circuits a block are run in packs. Every finished pack is on disk before the next is sent, so an interruption or a
failed job loses nothing and sends nothing twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.checkpoint import CheckpointError
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.devices.backends import backend_properties
from hybrid_qproj.devices.seeding import circuit_seed
from hybrid_qproj.estimate import check_runs
from hybrid_qproj.projection import QuantumProjection
from hybrid_qproj.qnodes import BlockExecutor
from hybrid_qproj.response import PROBES_PER_BLOCK, fit_response, probe_angles, response_errors

FORMAT = "hybrid-qproj calibration 1"
BLOCKS_PER_PACK = 16
"""Blocks between two writes: 144 circuits, or a job or two on a real machine."""


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
        """Write to a safetensors file, whole or not at all."""
        tensors = {"responses": self.responses, "errors": self.errors, "weights": self.weights}
        metadata = {"record": json.dumps(self.record, sort_keys=True)}
        content = safetensors.torch.save({k: t.contiguous() for k, t in tensors.items()}, metadata=metadata)
        write_atomically(Path(path), content)

    def apply(self, head: QuantumProjection) -> QuantumProjection:
        """Make a head serve with these responses: any number of documents, no circuit, the machine's noise included.

        Measured responses can lead out of the Bloch sphere; the rule is that every block's z is clipped to [-1, 1].

        Args:
            head: the head that was measured, or a copy with the same weights.

        Returns:
            the head itself, its weights frozen.

        Raises:
            ValueError: another circuit or other weights were measured.
        """
        if head.circuit != self.record["circuit"]:
            raise ValueError(f"circuit {self.record['circuit']!r} was measured; the head has {head.circuit!r}")
        return head.use_responses(self.weights, self.responses)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a file that `save` wrote.

        Raises:
            CheckpointError: the file is missing, damaged, or something else.
        """
        path = Path(path)
        if not path.is_file():
            raise CheckpointError(f"there is no calibration file {str(path)!r}")
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                record = json.loads((file.metadata() or {}).get("record", "{}"))
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
        except (safetensors.SafetensorError, json.JSONDecodeError) as error:
            raise CheckpointError(f"{path} is damaged ({error}); calibrate again") from error
        if record.get("format") != FORMAT:
            raise CheckpointError(f"{path} is no calibration: expected format {FORMAT!r}, got {record.get('format')!r}")
        return cls(tensors["responses"], tensors["errors"], tensors["weights"], record)


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
    weights = head.block_weights().double().cpu()
    claim = {
        "format": FORMAT,
        "device": str(spec),
        "circuit": head.circuit,
        "weights": _digest(weights),
        "blocks_per_pack": BLOCKS_PER_PACK,
    }
    packs = path.with_name(path.name + ".packs")
    if path.is_file():
        done = Calibration.load(path)
        _check_same(claim, done.record, path)
        _remove(packs)
        return done
    # Before anything is written: a device that cannot be built leaves nothing behind.
    check_runs(head, spec, allow_paid)
    executor = BlockExecutor(head.ansatz, spec, allow_paid=allow_paid)
    backend = backend_properties(executor.device)
    started = _claim(packs, claim, path.parent)
    pieces = []
    for number, start in enumerate(range(0, len(weights), BLOCKS_PER_PACK)):
        progress(start, len(weights))
        pieces.append(_pack(packs / f"{number:06d}.safetensors", executor, weights[start:][:BLOCKS_PER_PACK], number))
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
    calibration = Calibration(fit_response(values), response_errors(variances), weights, record)
    calibration.save(path)
    _remove(packs)
    return calibration


def _digest(weights: Tensor) -> str:
    return hashlib.sha256(weights.numpy().tobytes()).hexdigest()


def _check_same(claim: dict[str, Any], found: dict[str, Any], path: Path) -> None:
    different = [key for key, value in claim.items() if found.get(key) != value]
    if different:
        raise CheckpointError(
            f"{str(path)!r} belongs to another measurement (other {', '.join(different)}); remove it, or choose "
            "another file to write"
        )


def _claim(packs: Path, claim: dict[str, Any], parent: Path) -> str:
    """Make the folder of packs, or make sure that those in it belong to this measurement; when it was started."""
    path = packs / "claim.json"
    if path.is_file():
        found = json.loads(path.read_text())
        _check_same(claim, found, packs)
        return str(found["date"])
    parent.mkdir(parents=True, exist_ok=True)
    packs.mkdir(exist_ok=True)
    # The date of the first pack, so that an interrupted measurement ends in the same file.
    date = datetime.now(UTC).isoformat(timespec="seconds")
    write_atomically(path, json.dumps({**claim, "date": date}).encode())
    return date


def _remove(packs: Path) -> None:
    if packs.is_dir():
        for file in packs.iterdir():
            file.unlink()
        packs.rmdir()


def _pack(path: Path, executor: BlockExecutor, weights: Tensor, number: int) -> Tensor:
    """Values of some blocks at the nine probes, (blocks, 9): from disk if they are there."""
    if path.is_file():
        try:
            return safetensors.torch.load_file(path)["values"]
        except safetensors.SafetensorError as error:
            raise CheckpointError(
                f"{path} is damaged ({error}); remove it, and its blocks are measured again"
            ) from error
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
    write_atomically(path, safetensors.torch.save({"values": values.contiguous()}))
    return values
