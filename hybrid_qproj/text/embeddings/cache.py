"""Embeddings on disk, by what determines them: the encoder's fingerprint, the side, and the text's hash."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import safetensors
import safetensors.numpy
import torch

from hybrid_qproj._util.files import write_atomically
from hybrid_qproj._util.locks import lock_descriptor
from hybrid_qproj.errors import HybridQprojError
from hybrid_qproj.text.embeddings.fingerprint import Autocast, Mark, side_fingerprint, text_keys
from hybrid_qproj.text.embeddings.table import EmbeddingTable
from hybrid_qproj.text.sides import Side, encode_side, knows_sides, sides_differ

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

TEXTS_PER_SHARD = 8192
"""Texts of a file: what an interruption loses at most."""
MOST_HEADER_BYTES = 4096
"""Bytes of a file beside its numbers at most; those that are written here have a few hundred."""
ROWS_CHECKED = 1 << 16
"""Rows looked at for numbers that are none at once."""
LOCK = ".lock"
ADVICE = "delete it: what was in it will be encoded again"


class CacheError(HybridQprojError, ValueError):
    """A cache that is damaged or cannot be written."""


class EmbeddingCache:
    """A folder of embeddings, shared by experiments and processes.

    In it is a folder for each encoder and side, named by their fingerprint, so that a changed encoder or prompt never
    meets another's embeddings; an encoder that embeds queries as documents has one. In that are files of at most
    `TEXTS_PER_SHARD` texts, each named by the hash of its content, so that a torn or changed file is noticed, and
    processes that write at the same time never write the same name with other content. Files that a killed process
    left half written are removed by the next that writes.

    Args:
        folder: made when something is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Files never change once they are named by their content: each is checked once.
        self._checked: dict[Path, tuple[np.ndarray, np.ndarray]] = {}

    def encode(
        self,
        encoder: SentenceTransformer,
        texts: Sequence[str],
        batch_size: int = 64,
        progress: Callable[[int, int], None] = lambda done, total: None,
        shard: int = TEXTS_PER_SHARD,
        side: Side | None = None,
        autocast: Autocast | None = None,
    ) -> EmbeddingTable:
        """Embeddings of texts: read where they are known, else computed and written, file by file.

        Args:
            encoder: what embeds.
            texts: the texts; each is encoded once.
            batch_size: texts encoded at once.
            progress: called with the number of texts encoded so far, and of those to encode.
            shard: texts a file.
            side: what the texts are: queries go through ``encode_query``, documents through ``encode_document``; None
                for ``encode``.
            autocast: what the encoder computes in; None for its own type.

        Returns:
            a table of everything that is known of the encoder and side, memory-mapped.

        Raises:
            CacheError: a file is damaged or cannot be read, the folder cannot be written, or the encoder gave numbers
                that are not finite; nothing of that file is written.
        """
        home = self.folder / side_fingerprint(encoder, side, autocast)
        # Of two routes, the encoder tells the first one's.
        width = None if knows_sides(encoder) else encoder.get_embedding_dimension()
        mark = (side or "plain") if sides_differ(encoder) else None
        unique = list(dict.fromkeys(texts))
        table = _table(self._open(home, width), mark)
        found = np.full(len(unique), -1) if table is None else table.rows(unique, side)
        missing = [text for text, row in zip(unique, found, strict=True) if row < 0]
        if not missing:
            return table or EmbeddingTable(np.empty(0, "<u8"), [np.empty((0, width or 0))])
        self._writable(home)
        # Texts of like length share files, so that no batch is padded to the longest of them all.
        missing.sort(key=len)
        for start in range(0, len(missing), shard):
            chunk = missing[start : start + shard]
            with torch.autocast(encoder.device.type, torch.bfloat16, enabled=autocast is not None):
                rows = encode_side(encoder, chunk, side, batch_size=batch_size, convert_to_numpy=True)
            rows = rows.astype(np.float32)
            if not np.isfinite(rows).all():
                bad = int((~np.isfinite(rows)).any(axis=1).argmax())
                raise CacheError(
                    f"the encoder gave numbers that are not finite, first for {chunk[bad][:60]!r}; look for overflow "
                    "in half precision or empty texts"
                )
            self._write(home, text_keys(chunk), rows)
            progress(start + len(chunk), len(missing))
        whole = _table(self._open(home, width), mark)
        assert whole is not None
        return whole

    def _writable(self, home: Path) -> None:
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CacheError(
                f"the embedding cache {self.folder} cannot be made: {error.strerror}; choose another"
            ) from error
        if not os.access(home, os.W_OK):
            raise CacheError(f"the embedding cache {home} is not writable; choose another folder")

    def _write(self, home: Path, digests: np.ndarray, rows: np.ndarray) -> None:
        content = safetensors.numpy.save({"digests": digests.view(np.int64), "embeddings": rows})
        try:
            with _alone(home):
                write_atomically(home / f"{hashlib.sha256(content).hexdigest()}.safetensors", content)
        except OSError as error:
            free = shutil.disk_usage(self.folder).free
            hint = "; make room and run again: what is written stays" if error.errno == errno.ENOSPC else ""
            # An OutputError says all in its message, and has no strerror.
            reason = error.strerror or error
            raise CacheError(f"{home} cannot be written: {reason} ({free:,} bytes free){hint}") from error

    def _open(self, home: Path, width: int | None) -> list[tuple[np.ndarray, np.ndarray]]:
        parts = []
        for path in sorted(home.glob("[!.]*.safetensors")):
            if path not in self._checked:
                self._checked[path] = _read(path)
            found = self._checked[path][1].shape[1]
            # Where the encoder does not know its width, the first file's.
            width = width or found
            if found != width:
                raise CacheError(f"{path} holds embeddings of {found} numbers, expected {width}; {ADVICE}")
            parts.append(self._checked[path])
        return parts


def _table(parts: Sequence[tuple[np.ndarray, np.ndarray]], side: Mark | None) -> EmbeddingTable | None:
    if not parts:
        return None
    return EmbeddingTable(np.concatenate([digests for digests, _ in parts]), [rows for _, rows in parts], side)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Write in a folder while nobody else does, without what killed processes left there."""
    with (home / LOCK).open("a") as lock:
        lock_descriptor(lock.fileno(), wait=True)  # let go of when the file is closed, or its process dies
        for leftover in home.glob(".*"):
            if leftover.name != LOCK:
                with suppress(FileNotFoundError):
                    leftover.unlink()
        yield


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Digests and memory-mapped embeddings of a file."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != path.stem:
            raise CacheError(f"{path} is torn or was changed; {ADVICE}")
        # Compares names, types, shapes and offsets with the file's size; nothing is read yet.
        with safetensors.safe_open(path, framework="pt") as tensors:
            forms = {name: tensors.get_slice(name) for name in tensors.keys()}  # noqa: SIM118 - no mapping
            shapes = {name: (form.get_dtype(), tuple(form.get_shape())) for name, form in forms.items()}
            _check_shapes(path, shapes, path.stat().st_size)
            # Mapped into memory, not read: rows come from the disk as they are looked at.
            rows = tensors.get_tensor("embeddings").numpy()
            digests = tensors.get_tensor("digests").numpy().view(np.uint64).copy()
    except OSError as error:
        raise CacheError(f"{path} cannot be read ({error.strerror or error}); {ADVICE}") from error
    except safetensors.SafetensorError as error:
        raise CacheError(f"{path} is damaged ({error}); {ADVICE}") from error
    rows.flags.writeable = False
    for start in range(0, len(rows), ROWS_CHECKED):
        wrong = ~np.isfinite(rows[start : start + ROWS_CHECKED]).all(axis=1)
        if wrong.any():
            raise CacheError(f"{path}: row {start + int(wrong.argmax())} holds numbers that are not finite; {ADVICE}")
    return digests, rows


def _check_shapes(path: Path, shapes: dict[str, tuple[str, tuple[int, ...]]], size: int) -> None:
    kind, shape = shapes.get("embeddings", ("", ()))
    if set(shapes) != {"digests", "embeddings"} or kind != "F32" or len(shape) != 2 or not all(shape):  # noqa: PLR2004
        raise CacheError(f"{path} holds {shapes}; expected digests and a float32 matrix of embeddings; {ADVICE}")
    if shapes["digests"] != ("I64", shape[:1]):
        raise CacheError(f"{path} holds digests {shapes['digests']} for {shape[0]} embeddings; {ADVICE}")
    header = size - shape[0] * (8 + 4 * shape[1])
    if header > MOST_HEADER_BYTES:
        raise CacheError(f"{path} has a header of {header:,} bytes, at most {MOST_HEADER_BYTES:,} are taken; {ADVICE}")
