"""Measured response tensors, as a file and as a head's own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from hybrid_qproj._util.folders import is_file
from hybrid_qproj._util.schema import validated
from hybrid_qproj._util.tensors import Form, read_metadata, read_tensors, save_tensors
from hybrid_qproj.errors import ArgumentError
from hybrid_qproj.heads.checkpoint import CheckpointError
from hybrid_qproj.heads.quantum import QuantumProjection
from hybrid_qproj.measurement.record import FORMAT, FORMER, Record, plain, plan_digest, record_seal, weights_digest

LARGEST_RESPONSE = 4.0
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
            raise ArgumentError(f"circuit {self.record['circuit']!r} was measured; the head has {head.circuit!r}")
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
            ("responses", self.responses, -LARGEST_RESPONSE, LARGEST_RESPONSE),
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
