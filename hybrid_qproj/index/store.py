"""A corpus of angles in a folder: safetensors shards that are memory-mapped, lists of ids, and a manifest.

The manifest names every shard that counts. A shard is written before it is named, each file under a temporary name
first, so an interruption leaves what was there before or what is whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.errors import HybridQprojError
from hybrid_qproj.index.precision import PRECISIONS, Precision, pack, stored_width, unpack

FORMAT = "hybrid-qproj angles 1"
MANIFEST = "manifest.json"
KEY = "angles"


class StoreError(HybridQprojError, ValueError):
    """A folder of angles that is missing, damaged, or does not take what it is given."""


class Shard(NamedTuple):
    """A file of the corpus.

    Attributes:
        file: of angles, (rows, width).
        ids: file of their ids, a JSON list.
        rows: number of documents.
    """

    file: str
    ids: str
    rows: int


class AngleStore:
    """Documents' angles, readable and growable.

    Args:
        folder: of an existing store; see `create` for a new one.

    Attributes:
        width: k, angles a document.
        precision: in which they are stored.
        removed: positions of removed documents.
        model: what encoded them, for people.

    Raises:
        StoreError: there is no store, or it is damaged.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        manifest = self._manifest()
        try:
            self.width = int(manifest["width"])
            self.precision: Precision = manifest["precision"]
            self.model = str(manifest["model"])
            self.shards = [Shard(*map(entry.__getitem__, Shard._fields)) for entry in manifest["shards"]]
            self.removed = set(map(int, manifest["removed"]))
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"{self.folder / MANIFEST} is damaged ({type(error).__name__}: {error})") from error
        self._tensors = [self._open(shard) for shard in self.shards]
        self._names: list[str] | None = None
        self._places: dict[str, int] | None = None

    @classmethod
    def create(cls, folder: str | Path, width: int, precision: Precision = "float32", model: str = "") -> AngleStore:
        """Start an empty store.

        Args:
            folder: made if missing.
            width: k.
            precision: float32, float16 or uint8.
            model: what encodes, for people.

        Raises:
            StoreError: the folder holds a store already, or the precision is not known.
        """
        path = Path(folder)
        if (path / MANIFEST).exists():
            raise StoreError(f"{path} holds angles already; open them, or choose another folder")
        if precision not in PRECISIONS:
            raise StoreError(f"precision {precision!r}: expected one of {', '.join(PRECISIONS)}")
        path.mkdir(parents=True, exist_ok=True)
        _write_json(path / MANIFEST, _describe(width, precision, model, [], set()))
        return cls(path)

    def __len__(self) -> int:
        """Documents, removed ones left out."""
        return self.rows - len(self.removed)

    @property
    def ids(self) -> list[str]:
        """Ids of all documents in their order, removed ones too; read when first asked for.

        Raises:
            StoreError: a list of them is damaged.
        """
        if self._names is None:
            self._names = [name for shard in self.shards for name in self._ids(shard)]
        return self._names

    @property
    def _position(self) -> dict[str, int]:
        if self._places is None:
            self._places = {name: place for place, name in enumerate(self.ids) if place not in self.removed}
        return self._places

    @property
    def rows(self) -> int:
        """Rows on disk, removed ones too."""
        return sum(shard.rows for shard in self.shards)

    @property
    def bytes_per_document(self) -> int:
        """Bytes of a document's angles."""
        return stored_width(self.width, self.precision) * {"float32": 4, "float16": 2, "uint8": 1}[self.precision]

    def add(self, ids: Sequence[str], angles: Tensor) -> None:
        """Append a shard.

        Args:
            ids: of the documents, none of them in the store.
            angles: (len(ids), width), in [0, pi].

        Raises:
            StoreError: wrong shape, an id twice, or angles out of range.
        """
        if angles.shape != (len(ids), self.width):
            raise StoreError(
                f"got {len(ids)} ids and angles of shape {tuple(angles.shape)}; expected (n, {self.width})"
            )
        twice = next((name for name in ids if name in self._position), None)
        if twice is not None or len(set(ids)) < len(ids):
            raise StoreError(f"document {twice or 'id'!r} is there twice; remove it first, or give each its own id")
        if not ids:
            return
        try:
            stored = pack(angles, self.precision)
        except ValueError as error:
            raise StoreError(str(error)) from error
        number = len(self.shards)
        shard = Shard(f"angles-{number:05}.safetensors", f"ids-{number:05}.json", len(ids))
        write_atomically(self.folder / shard.file, safetensors.torch.save({KEY: stored.contiguous()}))
        _write_json(self.folder / shard.ids, list(ids))
        self._commit([*self.shards, shard], self.removed)
        self._position.update({name: self.rows + place for place, name in enumerate(ids)})
        self.ids.extend(ids)
        self.shards.append(shard)
        self._tensors.append(self._open(shard))

    def remove(self, ids: Sequence[str]) -> None:
        """Forget documents; their rows stay on disk and are no longer found.

        Raises:
            StoreError: one is not there; none is removed then.
        """
        missing = next((name for name in ids if name not in self._position), None)
        if missing is not None:
            raise StoreError(f"no document {missing!r} to remove")
        removed = self.removed | {self._position[name] for name in ids}
        self._commit(self.shards, removed)
        self.removed = removed
        for name in ids:
            self._position.pop(name, None)

    def chunks(self, rows: int = 1 << 16, shard: int | None = None) -> Iterator[tuple[int, Tensor]]:
        """Rows in order, removed ones too.

        Args:
            rows: most rows of a chunk.
            shard: number of the shard whose rows are wanted; None for all.

        Yields:
            position of the first row, and angles, (at most rows, width), float32.
        """
        start = 0
        for number, tensor in enumerate(self._tensors):
            if shard in (None, number):
                for place, piece in enumerate(tensor.split(rows)):
                    yield start + place * rows, unpack(piece)
            start += len(tensor)

    def gather(self, positions: Tensor) -> Tensor:
        """Angles of some rows.

        Args:
            positions: int64, any shape, 0 to ``rows`` - 1.

        Returns:
            float32, of the shape of ``positions`` with an axis of ``width`` more.
        """
        flat = positions.flatten()
        result = torch.empty(len(flat), self.width)
        start = 0
        for tensor in self._tensors:
            mine = ((flat >= start) & (flat < start + len(tensor))).nonzero().squeeze(1)
            result[mine] = unpack(tensor[flat[mine] - start])
            start += len(tensor)
        return result.view(*positions.shape, self.width)

    def _commit(self, shards: Sequence[Shard], removed: set[int]) -> None:
        _write_json(self.folder / MANIFEST, _describe(self.width, self.precision, self.model, shards, removed))

    def _manifest(self) -> dict[str, Any]:
        path = self.folder / MANIFEST
        if not path.is_file():
            raise StoreError(f"{str(self.folder)!r} holds no angles: {MANIFEST} is missing")
        manifest = _read_json(path)
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise StoreError(f"{path} is not of the format {FORMAT!r}")
        return manifest

    def _open(self, shard: Shard) -> Tensor:
        path = self.folder / shard.file
        try:
            # Mapped, not read: pages come in as rows are used.
            with safetensors.safe_open(path, framework="pt") as file:
                tensor: Tensor = file.get_tensor(KEY)
        except (OSError, safetensors.SafetensorError) as error:
            raise StoreError(f"{path} cannot be read ({error}); encode the corpus again") from error
        expected = (shard.rows, stored_width(self.width, self.precision))
        if tensor.shape != expected or str(tensor.dtype) != f"torch.{self.precision}":
            raise StoreError(
                f"{path} holds {tuple(tensor.shape)} {tensor.dtype}; the manifest says {expected} {self.precision}"
            )
        return tensor

    def _ids(self, shard: Shard) -> list[str]:
        ids = _read_json(self.folder / shard.ids)
        if not isinstance(ids, list) or len(ids) != shard.rows:
            raise StoreError(f"{self.folder / shard.ids} is damaged: expected a list of {shard.rows} ids")
        return ids


def _describe(width: int, precision: str, model: str, shards: Sequence[Shard], removed: set[int]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "width": width,
        "precision": precision,
        "model": model,
        "shards": [shard._asdict() for shard in shards],
        "removed": sorted(removed),
    }


def _write_json(path: Path, value: Any) -> None:
    write_atomically(path, json.dumps(value, ensure_ascii=False).encode())


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read ({error})") from error
