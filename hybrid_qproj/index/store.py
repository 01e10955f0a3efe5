"""A corpus of angles in a folder that grows: how one is begun, added to, and encoded again.

A file is written before the manifest names it, and the manifest is replaced in one step, so an interruption leaves what
was there before or what is whole. Writers hold a lock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from hybrid_qproj._util.files import writing
from hybrid_qproj.codec import Codec
from hybrid_qproj.index.errors import StoreError
from hybrid_qproj.index.form import check_codec, write_codec
from hybrid_qproj.index.manifest import FORMAT, MANIFEST, NEXT, Shard, describe, read_manifest, write_manifest
from hybrid_qproj.index.precision import Precision
from hybrid_qproj.index.reading import StoredAngles
from hybrid_qproj.index.shards import bind_shard, check_ids, has_shards, map_rows, sweep, write_shard
from hybrid_qproj.index.texts import DIGEST_BYTES
from hybrid_qproj.index.view import View
from hybrid_qproj.index.writer import Writer

__all__ = ["MANIFEST", "AngleStore", "Shard", "StoreError"]


class AngleStore(StoredAngles):
    """Documents' angles, readable and growable.

    Reading is safe from any number of threads. Writing is safe too: threads that share the object wait for each other,
    and another object or process that would write at the same time is refused. What others wrote in between is taken
    in before anything is added.

    Args:
        folder: of an existing store; see `create` for a new one.
        check: whether a shard is compared with its digest before its rows are used for the first time: about two
            seconds a gigabyte. Manifest and ids always are.

    Attributes:
        folder: the store's.

    Raises:
        StoreError: there is no store, or it is damaged.
    """

    def __init__(self, folder: str | Path, check: bool = True) -> None:
        super().__init__(folder, check)
        self._writer = Writer(self.folder)

    @classmethod
    def create(
        cls,
        folder: str | Path,
        width: int,
        precision: Precision = "float32",
        model: str = "",
        fingerprint: str | None = None,
        codec: Codec | None = None,
    ) -> AngleStore:
        """Start an empty store.

        Args:
            folder: made if missing.
            width: k.
            precision: float32, float16 or uint8.
            model: what encodes, for people.
            fingerprint: of the model that encodes (`hybrid_qproj.text.embeddings.fingerprint.encoder_fingerprint`):
                no other can add to the store by the command line, or search it. None where it is not known.
            codec: makes codes of the angles, in place of a precision; it is kept with the store.

        Raises:
            StoreError: the folder holds a store already, or what is given is not sound.
            LockedError: somebody else is writing there.
            OutputError: the folder cannot be written.
        """
        path = Path(folder)
        if (path / MANIFEST).exists():
            raise StoreError(f"{path} holds angles already; open them, or choose another folder")
        check_codec(codec, width)
        manifest = describe(width, precision, model, fingerprint, None if codec is None else codec.fingerprint)
        with writing(path):
            path.mkdir(parents=True, exist_ok=True)
        with Writer(path).hold():
            if (path / MANIFEST).exists():
                raise StoreError(f"{path} holds angles already; open them, or choose another folder")
            if has_shards(path):
                # Never left by an interruption: the manifest comes first.
                raise StoreError(
                    f"{path} holds shards, but no {MANIFEST} that says what they are; put it back, or choose another "
                    "folder"
                )
            write_codec(path, manifest, codec)
            write_manifest(path / MANIFEST, manifest)
        return cls(path)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lock of the folder through several changes.

        What a killed writer left over is removed, and what others wrote since is taken in.

        Raises:
            LockedError: another process, or another store object of this one, is writing; the message names it.
            StoreError: the folder holds other documents now.
            OutputError: the folder cannot be written.
        """
        with self._writer.hold() as first:
            if first:
                self._refresh()
                self._sweep()
            yield

    def add(self, ids: Sequence[str], angles: Tensor, texts: Tensor | None = None, replace: bool = False) -> None:
        """Append a shard.

        Args:
            ids: of the documents, each its own.
            angles: (len(ids), width), in [0, pi].
            texts: digests of what was encoded (`hybrid_qproj.index.texts.text_digests`), by which `encode` notices a
                document whose text changed; None where they are not known.
            replace: whether documents that are there already are replaced, in the same step.

        Raises:
            StoreError: wrong shape, an id twice or there already, or angles out of range; nothing is added.
            LockedError: somebody else is writing.
            OutputError: a file cannot be written; nothing is added.
        """
        ids = list(ids)
        if angles.shape != (len(ids), self.width):
            raise StoreError(
                f"got {len(ids)} ids and angles of shape {tuple(angles.shape)}; expected (n, {self.width})"
            )
        if texts is not None and (texts.shape, texts.dtype) != ((len(ids), DIGEST_BYTES), torch.uint8):
            raise StoreError(
                f"got digests of texts of shape {tuple(texts.shape)}; expected ({len(ids)}, {DIGEST_BYTES}) uint8"
            )
        try:
            check_ids(ids)
            stored = self.form.pack(angles)
        except ValueError as error:
            raise StoreError(str(error)) from error
        with self.writing():
            places = self._names.places(self._view)
            seen: set[str] = set()
            for name in ids:
                if name in seen or (name in places and not replace):
                    raise StoreError(f"document {name!r} is there twice; remove it first, or give each its own id")
                seen.add(name)
            if not ids:
                return
            gone = {places[name] for name in ids if name in places}
            shard = write_shard(self.folder, ids, stored, texts)
            tensor = map_rows(self.folder, shard, self.form)
            self._checks.add(shard.file)
            self._commit([*self.shards, shard], self.removed | gone, [*self._view.tensors, tensor])
            self._names.added(self._view, ids)

    def remove(self, ids: Sequence[str]) -> None:
        """Forget documents; their rows stay on disk and are no longer found.

        Raises:
            StoreError: one is not there; none is removed then.
            LockedError: somebody else is writing.
            OutputError: the manifest cannot be written; none is removed then.
        """
        with self.writing():
            places = self._names.places(self._view)
            missing = next((name for name in ids if name not in places), None)
            if missing is not None:
                raise StoreError(f"no document {missing!r} to remove")
            self._commit(self.shards, self.removed | {places[name] for name in ids}, self._view.tensors)
            self._names.dropped(ids)

    def upgrade(self) -> None:
        """Bind the files of a store of the former format by their digests.

        Raises:
            StoreError: one is damaged.
            LockedError: somebody else is writing.
            OutputError: the manifest cannot be written.
        """
        with self.writing():
            if not self.bound:
                self._commit(self.shards, self.removed, self._view.tensors)

    def _commit(self, shards: Sequence[Shard], removed: frozenset[int], tensors: Sequence[Tensor]) -> None:
        """The step in which a change happens."""
        now = self._view.manifest
        manifest = now.model_copy(
            update={
                "format": FORMAT,
                "shards": [bind_shard(self.folder, shard) for shard in shards],
                "removed": sorted(removed),
            }
        )
        stamp = write_manifest(self.folder / self._file, manifest)
        self._view = View(self.folder, manifest, stamp, tuple(tensors), removed, self.form)

    def _refresh(self) -> None:
        """Take in what others wrote since; only for who holds the lock."""
        path = self.folder / self._file
        if read_manifest(path)[2] == self._view.stamp:
            return
        view = View.read(path)
        if not view.grew_from(self._view):
            raise StoreError(f"{self.folder} holds other documents than when it was opened: open it again")
        self._view = view
        self._names.forget_places()

    def _sweep(self) -> None:
        counting = set(self._view.manifest.files)
        for name in (MANIFEST, NEXT):
            if name != self._file and (self.folder / name).exists():
                try:
                    counting |= read_manifest(self.folder / name)[0].files
                except StoreError:
                    if name == MANIFEST:
                        raise
                    # Half of a new store that cannot be gone on with.
                    (self.folder / name).unlink()
        with writing(self.folder):
            sweep(self.folder, counting)

    def beside(self, file: str) -> AngleStore:
        """A store in the same folder by another manifest, for `hybrid_qproj.index.renewal`; it shares the lock.

        Raises:
            StoreError: it is missing or damaged.
        """
        other = object.__new__(type(self))
        other.folder, other._writer = self.folder, self._writer
        other._open(file, self._check)
        return other

    def reopen(self) -> None:
        """Read again what is there now, whatever it was, and remove what no longer counts. Only while `writing`.

        Raises:
            StoreError: it is damaged.
        """
        with self.writing():
            self._open(self._file, self._check)
            self._sweep()
