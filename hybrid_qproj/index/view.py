"""What a store holds at one moment: exchanged whole, so that readers in other threads never see half a change."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

import torch
from torch import Tensor

from hybrid_qproj.index.errors import StoreError
from hybrid_qproj.index.form import Form, form_of
from hybrid_qproj.index.manifest import Manifest, read_manifest
from hybrid_qproj.index.shards import check_rows, map_rows, read_ids, read_texts


class Checks:
    """Which shards were compared with their digests.

    Args:
        wanted: False to believe them all.
    """

    def __init__(self, wanted: bool) -> None:
        self._wanted, self._lock, self._done = wanted, threading.Lock(), set[str]()

    def add(self, file: str) -> None:
        """Believe a shard that was written by this process from its own memory."""
        self._done.add(file)

    def check(self, view: View, number: int) -> None:
        """Compare a shard with its digest, unless that was done.

        Raises:
            StoreError: it is damaged.
        """
        file = view.manifest.shards[number].file
        if self._wanted and file not in self._done:
            with self._lock:
                if file not in self._done:
                    check_rows(view.folder, view.manifest.shards[number], view.tensors[number], view.form)
                    self._done.add(file)


class View(NamedTuple):
    """A store that does not change.

    Attributes:
        folder: the store's.
        manifest: what it says of itself.
        stamp: by which a change of the manifest's file is noticed.
        tensors: mapped rows of each shard, as they are stored.
        removed: positions of removed documents.
        form: what a row is.
    """

    folder: Path
    manifest: Manifest
    stamp: str
    tensors: tuple[Tensor, ...]
    removed: frozenset[int]
    form: Form

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open what a manifest names.

        Args:
            path: the manifest.

        Raises:
            StoreError: something is missing or damaged; the message names it.
        """
        while True:
            manifest, problem, stamp = read_manifest(path)
            try:
                form = form_of(path.parent, manifest)
                tensors = [map_rows(path.parent, shard, form) for shard in manifest.shards]
            except StoreError as error:
                # Encoded again while it was being opened: its former shards are gone.
                if read_manifest(path)[2] != stamp:
                    continue
                if problem:
                    raise StoreError(f"{path} is damaged: {problem} ({error})") from error
                raise
            if problem:
                raise StoreError(f"{path} is damaged: {problem}; put back a copy of it, or encode the corpus again")
            return cls(path.parent, manifest, stamp, tuple(tensors), frozenset(manifest.removed), form)

    def grew_from(self, older: View) -> bool:
        """Whether all rows of an older view are still there, in their places."""
        new, old = self.manifest, older.manifest
        return (
            new.kind == old.kind
            and len(new.shards) >= len(old.shards)
            and all(
                (a.file, a.rows) == (b.file, b.rows) and a.file_digest in (None, b.file_digest)
                for a, b in zip(old.shards, new.shards, strict=False)
            )
        )

    def chunks(self, rows: int, shard: int | None, checks: Checks) -> Iterator[tuple[int, Tensor]]:
        """Rows in order as they are stored; see `StoredAngles.stored_chunks`."""
        start = 0
        for number, tensor in enumerate(self.tensors):
            if shard in (None, number):
                checks.check(self, number)
                for place, piece in enumerate(tensor.split(rows)):
                    yield start + place * rows, piece
            start += len(tensor)

    def gather(self, positions: Tensor, checks: Checks) -> Tensor:
        """Some rows as they are stored; see `StoredAngles.stored_rows`."""
        flat = positions.flatten()
        if len(flat) and not (int(flat.min()) >= 0 and int(flat.max()) < self.manifest.rows):
            raise StoreError(
                f"rows {int(flat.min())} to {int(flat.max())} were asked for; {self.folder} has "
                f"{self.manifest.rows:,}, of which the first is 0"
            )
        result = torch.empty(len(flat), self.form.numbers, dtype=self.form.dtype)
        start = 0
        for number, tensor in enumerate(self.tensors):
            mine = ((flat >= start) & (flat < start + len(tensor))).nonzero().squeeze(1)
            if len(mine):
                checks.check(self, number)
                result[mine] = tensor[flat[mine] - start]
            start += len(tensor)
        return result.view(*positions.shape, self.form.numbers)

    def verify(self) -> None:
        """Compare every file with its digest; see `StoredAngles.verify`."""
        form_of(self.folder, self.manifest)
        for shard, tensor in zip(self.manifest.shards, self.tensors, strict=True):
            check_rows(self.folder, shard, tensor, self.form)
            read_ids(self.folder, shard)
            read_texts(self.folder, shard)
