"""A corpus of angles in a folder, read: safetensors shards that are memory-mapped, lists of ids, and a manifest.

The manifest names every file that counts, with its digest; a file that it does not name is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from hybrid_qproj.codec.codec import Codec
from hybrid_qproj.index.manifest import MANIFEST, Shard
from hybrid_qproj.index.names import Names
from hybrid_qproj.index.precision import Precision, stored_type, stored_width, unpack
from hybrid_qproj.index.shards import read_texts
from hybrid_qproj.index.texts import DIGEST_BYTES
from hybrid_qproj.index.view import Checks, View


class StoredAngles:
    """Documents' angles, readable from any number of threads.

    Args:
        folder: of an existing store.
        check: whether a shard is compared with its digest before its rows are used for the first time: about two
            seconds a gigabyte. Manifest and ids always are.

    Attributes:
        folder: the store's.

    Raises:
        StoreError: there is no store, or it is damaged.
    """

    def __init__(self, folder: str | Path, check: bool = True) -> None:
        self.folder = Path(folder)
        self._open(MANIFEST, check)

    def _open(self, file: str, check: bool) -> None:
        self._file, self._check = file, check
        self._checks, self._names = Checks(check), Names()
        self._view = View.read(self.folder / file)

    @property
    def width(self) -> int:
        """K, angles a document."""
        return self._view.manifest.width

    @property
    def precision(self) -> Precision:
        """In which angles are stored."""
        return self._view.manifest.precision

    @property
    def codec(self) -> Codec | None:
        """What reads the documents' codes, where they are stored as such."""
        return self._view.codec

    def is_of(self, width: int, precision: Precision | Codec, fingerprint: str | None) -> bool:
        """Whether its rows are of this width, precision or codec, and by this model."""
        return self._view.manifest.is_of(width, precision, fingerprint)

    @property
    def model(self) -> str:
        """What encoded the documents, for people."""
        return self._view.manifest.model

    @property
    def fingerprint(self) -> str | None:
        """Of the model that encoded the documents; None where it is not known."""
        return self._view.manifest.fingerprint

    @property
    def shards(self) -> list[Shard]:
        """Files of the corpus, in order."""
        return self._view.manifest.shards

    @property
    def removed(self) -> frozenset[int]:
        """Positions of removed documents."""
        return self._view.removed

    @property
    def bound(self) -> bool:
        """Whether the digests of all files are known: not in a store of the former format."""
        return self._view.manifest.bound

    def __len__(self) -> int:
        """Documents, removed ones left out."""
        view = self._view
        return view.manifest.rows - len(view.removed)

    @property
    def rows(self) -> int:
        """Rows on disk, removed ones too."""
        return self._view.manifest.rows

    @property
    def ids(self) -> list[str]:
        """Ids of all documents in their order, removed ones too; read when first asked for.

        Raises:
            StoreError: a list of them is damaged, or an id is there twice.
        """
        return self._names.all(self._view)

    @property
    def bytes_per_document(self) -> int:
        """Bytes of a document's angles."""
        precision = self.codec or self.precision
        return stored_width(self.width, precision) * stored_type(precision).itemsize

    def texts(self) -> list[bytes | None]:
        """Digests of the texts of all rows, in order; None where one is not known.

        Raises:
            StoreError: a file of them is damaged.
        """
        found: list[bytes | None] = []
        for shard in self.shards:
            texts = read_texts(self.folder, shard)
            if texts is None:
                found.extend([None] * shard.rows)
            else:
                content = texts.numpy().tobytes()
                found.extend(content[start : start + DIGEST_BYTES] for start in range(0, len(content), DIGEST_BYTES))
        return found

    def verify(self) -> None:
        """Compare every file with its digest now.

        Raises:
            StoreError: one is damaged; the message names it.
        """
        self._view.verify()

    def chunks(self, rows: int = 1 << 16, shard: int | None = None) -> Iterator[tuple[int, Tensor]]:
        """Rows in order, removed ones too.

        Args:
            rows: most rows of a chunk.
            shard: number of the shard whose rows are wanted; None for all.

        Yields:
            position of the first row, and angles, (at most rows, width), float32.

        Raises:
            StoreError: a shard is damaged.
        """
        view = self._view
        for start, piece in view.stored(rows, shard, self._checks):
            yield start, unpack(piece, view.codec)

    def stored_chunks(self, rows: int = 1 << 16, shard: int | None = None) -> Iterator[tuple[int, Tensor]]:
        """Rows in order as they are stored, such as codes; else as `chunks`."""
        yield from self._view.stored(rows, shard, self._checks)

    def gather(self, positions: Tensor) -> Tensor:
        """Angles of some rows.

        Args:
            positions: int64, any shape, 0 to ``rows`` - 1.

        Returns:
            float32, of the shape of ``positions`` with an axis of ``width`` more.

        Raises:
            StoreError: there is no such row, or a shard is damaged.
        """
        view = self._view
        flat = view.gather(positions.flatten(), self._checks)
        return unpack(flat, view.codec).view(*positions.shape, view.manifest.width)

    def gather_stored(self, positions: Tensor) -> Tensor:
        """Some rows as they are stored, such as codes; else as `gather`."""
        return self._view.gather(positions, self._checks)
