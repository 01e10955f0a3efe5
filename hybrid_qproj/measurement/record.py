"""What a measurement of responses was of, and what is known of it: by this two measurements are the same."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from torch import Tensor

from hybrid_qproj._util.schema import Strict
from hybrid_qproj._util.seals import table_digest
from hybrid_qproj._util.tensors import tensors_digest
from hybrid_qproj.heads.checkpoint import CheckpointError
from hybrid_qproj.heads.quantum import QuantumProjection

FORMAT = "hybrid-qproj calibration 2"
FORMER = "hybrid-qproj calibration 1"
"""Without digests; a measurement that was begun in it goes on."""
BINDING = ("device", "circuit", "weights", "blocks_per_pack", "plan")
"""Keys by which two measurements are the same."""

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Measured(Strict):
    """What is measured, on what.

    Attributes:
        format: of the files.
        device: device string.
        circuit: name of the ansatz.
        weights: digest of the raw weights.
        blocks_per_pack: blocks between two writes.
        plan: digest of the head's plan; None in the former format.
        date: when it was begun.
    """

    format: Literal["hybrid-qproj calibration 1", "hybrid-qproj calibration 2"]
    device: Annotated[str, Field(max_length=10_000)]
    circuit: Annotated[str, Field(max_length=1000)]
    weights: Digest
    blocks_per_pack: Annotated[int, Field(ge=1)]
    plan: Digest | None = None
    date: Annotated[str, Field(max_length=100)]


def check_same(claim: dict[str, Any], found: dict[str, Any], path: Path) -> None:
    """Refuse files of another measurement.

    Raises:
        CheckpointError: they are; the message says in what they differ.
    """
    # The former format did not know the plan.
    different = [
        key for key in BINDING if found.get(key) != claim[key] and (key != "plan" or found["format"] == FORMAT)
    ]
    if different:
        raise CheckpointError(
            f"{str(path)!r} belongs to another measurement (other {', '.join(different)}); remove it, or choose "
            "another file to write"
        )


class Record(Measured):
    """What a calibration says of itself.

    Attributes:
        shots: of a circuit; None where the device is exact.
        blocks: that were measured.
        backend: properties of the machine.
        versions: of the packages.
    """

    shots: Annotated[int, Field(ge=1)] | None
    blocks: Annotated[int, Field(ge=1)]
    backend: dict[str, Any]
    versions: dict[str, str]


def weights_digest(weights: Tensor) -> str:
    """SHA-256 of raw weights, (blocks, parameters), float64."""
    return hashlib.sha256(weights.numpy().tobytes()).hexdigest()


def plan_digest(head: QuantumProjection) -> str:
    """Digest of which blocks a head has, on which features; not of what its plan is called."""
    return table_digest(head.plan.structure())


def record_seal(record: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    """Digest that binds a record to its numbers."""
    return table_digest({"record": record, "tensors": tensors_digest(tensors)})


def plain(value: Any) -> Any:
    """Plain values as JSON has them: a backend may not know a number, and says so by NaN."""
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
