"""A corpus of angles in a folder, read: safetensors shards that are memory-mapped, lists of ids, and a manifest.

The manifest names every file that counts, with its digest; a file that it does not name is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from hybrid_qproj.codec import Codec
from hybrid_qproj.index.form import Codes, Form
from hybrid_qproj.index.manifest import FORMAT, MANIFEST, Shard, shards_digest
from hybrid_qproj.index.names import Names
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
    def precision(self) -> str:
        """In which angles are stored; ``"codes"`` where a codec makes codes of them."""
        return self._view.manifest.precision

    @property
    def kind(self) -> tuple[object, ...]:
        """What documents must have in common to stand in one store: width, precision, codec and model."""
        return self._view.manifest.kind

    @property
    def form(self) -> Form:
        """What a row is, and how queries are compared with it."""
        return self._view.form

    @property
    def codec(self) -> Codec | None:
        """What made the codes; None where angles are stored."""
        return self.form.codec if isinstance(self.form, Codes) else None

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

    def rows_digest(self, shards: int) -> str:
        """State of the rows of the first shards; see `hybrid_qproj.index.manifest.shards_digest`."""
        return shards_digest(self.shards[:shards], self._view.manifest.codec)

    @property
    def removed(self) -> frozenset[int]:
        """Positions of removed documents."""
        return self._view.removed

    @property
    def bound(self) -> bool:
        """Whether the digests of all files are known: not in a store of the former format."""
        return self._view.manifest.format == FORMAT

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
        """Bytes of a document's angles, or of its code."""
        return self.form.bytes_per_document

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
            position of the first row, and angles, (at most rows, width), float32; of codes what they decode to.

        Raises:
            StoreError: a shard is damaged.
        """
        form = self.form
        for start, piece in self.stored_chunks(rows, shard):
            yield start, form.unpack(piece)

    def stored_chunks(self, rows: int = 1 << 16, shard: int | None = None) -> Iterator[tuple[int, Tensor]]:
        """`chunks` as they are stored: (at most rows, ``form.numbers``)."""
        yield from self._view.chunks(rows, shard, self._checks)

    def gather(self, positions: Tensor) -> Tensor:
        """Angles of some rows.

        Args:
            positions: int64, any shape, 0 to ``rows`` - 1.

        Returns:
            float32, of the shape of ``positions`` with an axis of ``width`` more; of codes what they decode to.

        Raises:
            StoreError: there is no such row, or a shard is damaged.
        """
        rows = self.stored_rows(positions)
        return self.form.unpack(rows.reshape(-1, rows.shape[-1])).view(*positions.shape, self.width)

    def stored_rows(self, positions: Tensor) -> Tensor:
        """`gather` as they are stored, with an axis of ``form.numbers`` more."""
        return self._view.gather(positions, self._checks)
