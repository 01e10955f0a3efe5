"""Finished packs of a measurement, on disk while it runs: each is bound to its place in this measurement."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hybrid_qproj._util.files import read_json, remove_leftovers, write_atomically, writing
from hybrid_qproj._util.schema import validated
from hybrid_qproj._util.seals import seal, table_digest, unseal
from hybrid_qproj._util.tensors import Form, read_metadata, read_tensors, save_tensors, tensors_digest
from hybrid_qproj.heads.checkpoint import CheckpointError
from hybrid_qproj.measurement.record import BINDING, FORMER, Measured, check_same

CLAIM = "claim.json"
LARGEST_EXPECTATION = 2.0
"""Of an expectation value; where readout is corrected, some lie outside of [-1, 1]."""
PACK_FILE = re.compile(r"[0-9]{6,}\.safetensors")


class Packs:
    """The folder of the finished packs of one measurement.

    Args:
        folder: made when the first pack is written.
        claim: the measurement: `BINDING` and the format.
    """

    def __init__(self, folder: Path, claim: dict[str, Any]) -> None:
        self.folder, self._claim = folder, claim
        self._seal = table_digest({key: claim[key] for key in BINDING})
        self._former = False

    def open(self) -> str:
        """Make the folder, or make sure that the packs in it belong to this measurement.

        Returns:
            when it was begun.

        Raises:
            CheckpointError: there are packs of another measurement, or the claim is damaged.
            OutputError: the folder cannot be written.
        """
        path = self.folder / CLAIM
        if path.exists():
            found = self._read_claim()
            check_same(self._claim, found, self.folder)
            self._former = found["format"] == FORMER
            return str(found["date"])
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        # The date of the first pack, so that an interrupted measurement ends in the same file.
        date = datetime.now(UTC).isoformat(timespec="seconds")
        write_atomically(path, seal({**self._claim, "date": date}))
        return date

    def _read_claim(self) -> dict[str, Any]:
        path = self.folder / CLAIM
        try:
            found = read_json(path)
            if not isinstance(found, dict):
                raise ValueError(f"{path} is no table")
            problem = unseal(found) if found.get("format") != FORMER else None
            validated(Measured, found)
            if problem:
                raise ValueError(f"{path}: {problem}")
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"{path} is damaged ({error}); put back a copy of it, or remove {str(self.folder)!r} and measure again"
            ) from error
        return found

    def read(self, number: int, blocks: int, probes: int) -> Tensor | None:
        """A finished pack.

        Args:
            number: of the pack.
            blocks: that it has.
            probes: of a block.

        Returns:
            expectation values, (blocks, probes), float64; None if it was not measured yet.

        Raises:
            CheckpointError: it is damaged, or is not this pack.
        """
        path = self._path(number)
        if not path.exists():
            return None
        try:
            tensors = read_tensors(path, {"values": Form((blocks, probes), (torch.float64, torch.float32))})
            check_values(tensors["values"])
            seal_found = read_metadata(path).get("seal")
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{path} is damaged ({error}); {_AGAIN}") from error
        if seal_found != self._mark(number, tensors) and not (self._former and seal_found is None):
            raise CheckpointError(f"{path} is damaged, or no pack of this measurement in this place; {_AGAIN}")
        return tensors["values"]

    def write(self, number: int, values: Tensor) -> None:
        """Keep a finished pack.

        Raises:
            OutputError: it cannot be written; earlier ones are still there.
        """
        tensors = {"values": values}
        save_tensors(self._path(number), tensors, {"seal": self._mark(number, tensors)})

    def remove(self) -> None:
        """Remove the files of this measurement, and the folder if nobody else's are in it."""
        with suppress(OSError, CheckpointError):
            check_same(self._claim, self._read_claim(), self.folder)
            for path in list(self.folder.iterdir()):
                if PACK_FILE.fullmatch(path.name):
                    path.unlink()
                elif path.name.startswith("."):
                    for name in (CLAIM, path.name[1:].split(".", 1)[0] + ".safetensors"):
                        if name == CLAIM or PACK_FILE.fullmatch(name):
                            remove_leftovers(self.folder / name)
            (self.folder / CLAIM).unlink()
            self.folder.rmdir()

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.safetensors"

    def _mark(self, number: int, tensors: dict[str, Tensor]) -> str:
        return table_digest({"measurement": self._seal, "number": number, "tensors": tensors_digest(tensors)})


_AGAIN = "remove it, and its blocks are measured again"


def check_values(values: Tensor) -> None:
    """Refuse numbers that no circuit gives.

    Raises:
        ValueError: one is not finite, or too large.
    """
    if not bool((values.abs() <= LARGEST_EXPECTATION).all()):
        raise ValueError(f"an expectation value is not finite, or its size is over {LARGEST_EXPECTATION}")
