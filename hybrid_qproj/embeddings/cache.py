"""Embeddings on disk, by what determines them: the encoder's fingerprint and the text's hash."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import safetensors.numpy

from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.embeddings.fingerprint import encoder_fingerprint, text_digests
from hybrid_qproj.embeddings.table import EmbeddingTable
from hybrid_qproj.errors import HybridQprojError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

SHARD = 8192
"""Texts of a file: what an interruption loses at most."""


class CacheError(HybridQprojError, ValueError):
    """A cache that is damaged or cannot be written."""


class EmbeddingCache:
    """A folder of embeddings, shared by experiments and processes.

    In it is a folder for each encoder, named by its fingerprint, so that a changed encoder never meets another's
    embeddings; and in that, files of at most `SHARD` texts, each named by the hash of its content, so that a torn or
    changed file is noticed, and two processes that write the same write the same file.

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
        shard: int = SHARD,
    ) -> EmbeddingTable:
        """Embeddings of texts: read where they are known, else computed and written, file by file.

        Args:
            encoder: what embeds.
            texts: the texts; each is encoded once.
            batch_size: texts encoded at once.
            progress: called with the number of texts encoded so far, and of those to encode.
            shard: texts a file.

        Returns:
            a table of everything that is known of the encoder, memory-mapped.

        Raises:
            CacheError: a file is damaged or cannot be read, or the folder cannot be written.
            ValueError: the encoder gave NaN; nothing of that file is written.
        """
        home = self.folder / encoder_fingerprint(encoder)
        table = self._open(home, int(encoder.get_embedding_dimension() or 0))
        unique = list(dict.fromkeys(texts))
        missing = unique if table is None else [t for t, row in zip(unique, table.rows(unique), strict=True) if row < 0]
        if not missing:
            assert table is not None or not unique
            return table or EmbeddingTable(np.empty(0, "<u8"), [np.empty((0, encoder.get_embedding_dimension() or 0))])
        self._writable(home)
        # Texts of like length share files, so that no batch is padded to the longest of them all.
        missing.sort(key=len)
        for start in range(0, len(missing), shard):
            chunk = missing[start : start + shard]
            rows = encoder.encode(chunk, batch_size=batch_size, convert_to_numpy=True, show_progress_bar=False)
            if not np.isfinite(rows).all():
                bad = int((~np.isfinite(rows)).any(axis=1).argmax())
                raise ValueError(
                    f"the encoder gave numbers that are not finite, first for {chunk[bad][:60]!r}; look for overflow "
                    "in half precision or empty texts"
                )
            self._write(home, text_digests(chunk), rows.astype(np.float32))
            progress(start + len(chunk), len(missing))
        whole = self._open(home, int(encoder.get_embedding_dimension() or 0))
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
            write_atomically(home / f"{hashlib.sha256(content).hexdigest()}.safetensors", content)
        except OSError as error:
            free = shutil.disk_usage(self.folder).free
            hint = "; make room and run again: what is written stays" if error.errno == errno.ENOSPC else ""
            raise CacheError(f"{home} cannot be written: {error.strerror} ({free:,} bytes free){hint}") from error

    def _open(self, home: Path, width: int) -> EmbeddingTable | None:
        for path in home.glob("*.safetensors"):
            if path not in self._checked:
                self._checked[path] = _read(path, width)
        parts = [part for path, part in sorted(self._checked.items()) if path.parent == home]
        if not parts:
            return None
        return EmbeddingTable(np.concatenate([digests for digests, _ in parts]), [rows for _, rows in parts])


def _read(path: Path, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Digests and memory-mapped embeddings of a file."""
    advice = "delete it: what was in it will be encoded again"
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != path.stem:
                raise CacheError(f"{path} is torn or was changed; {advice}")
            file.seek(0)
            header = int.from_bytes(file.read(8), "little")
            # The format of safetensors: the length of a header, the header, then the tensors at the offsets it gives.
            table = json.loads(file.read(header))
        start, shape = 8 + header + table["embeddings"]["data_offsets"][0], tuple(table["embeddings"]["shape"])
        rows = np.memmap(path, dtype="<f4", mode="r", offset=start, shape=shape)
        digests = np.fromfile(
            path, dtype="<u8", count=shape[0], offset=8 + header + table["digests"]["data_offsets"][0]
        )
    except (OSError, KeyError) as error:
        raise CacheError(f"{path} cannot be read ({error}); {advice}") from error
    if shape[1] != width:
        raise CacheError(f"{path} holds embeddings of {shape[1]} numbers, the encoder gives {width}; {advice}")
    return digests, rows
