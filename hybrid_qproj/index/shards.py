"""The files of a shard: angles that are memory-mapped, ids, and digests of texts."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from hybrid_qproj._util.files import SMALL, read_bounded, remove_leftovers, write_atomically
from hybrid_qproj._util.folders import file_digest, inside
from hybrid_qproj._util.strict_json import parse_json
from hybrid_qproj._util.tensors import DTYPES
from hybrid_qproj.errors import ArgumentError
from hybrid_qproj.index.errors import StoreError
from hybrid_qproj.index.form import Form
from hybrid_qproj.index.manifest import Shard
from hybrid_qproj.index.texts import DIGEST_BYTES

ANGLES, TEXTS = "angles", "texts"
"""Names of the tensors."""
LONGEST_ID = 4096
"""Bytes of an id at most."""
ROWS_AT_ONCE = 1 << 16
"""Of a shard, whose values are compared at once."""
FILES = re.compile(r"(angles|ids|texts)-([0-9]{5,12})\.(safetensors|json)")
CODEC = re.compile(r"codec-[0-9a-f]{32}\.safetensors")
_OURS = (
    r"(?:manifest|next|index)\.json|index\.faiss|(?:angles|ids|texts)-[0-9]{5,12}\.(?:safetensors|json)|"
    + CODEC.pattern
)
LEFTOVERS = re.compile(rf"\.({_OURS})\..*\.tmp.*")


def check_ids(ids: Sequence[Any]) -> None:
    """Refuse what is no id.

    Raises:
        ValueError: one is no string, cannot be written, or is too long; the message names it.
    """
    for name in ids:
        if not isinstance(name, str):
            raise ArgumentError(f"the id {name!r:.60} is a {type(name).__name__}; expected a string")
        # Four bytes a letter at most; letters that cannot be written are those of half a pair.
        if len(name) > LONGEST_ID // 4 and len(name.encode("utf-8", "replace")) > LONGEST_ID:
            raise ArgumentError(f"the id {name[:40]!r}... is longer than {LONGEST_ID} bytes")
        if not name.isascii() and any("\ud800" <= letter <= "\udfff" for letter in name):
            raise ArgumentError(f"the id {name!r:.60} is no Unicode text")


def write_shard(folder: Path, ids: Sequence[str], stored: Tensor, texts: Tensor | None) -> Shard:
    """Write files under names that are free.

    Args:
        folder: the store's.
        ids: of the documents.
        stored: their rows in the store's form, (rows, numbers).
        texts: digests of their texts, (rows, 16), or None where they are not known.

    Returns:
        what the manifest says of them.

    Raises:
        OutputError: one could not be written.
    """
    number = 1 + max((int(found[2]) for found in map(FILES.fullmatch, _names(folder)) if found), default=-1)
    names = {"file": f"angles-{number:05}.safetensors", "ids": f"ids-{number:05}.json"}
    contents = {
        "file": safetensors.torch.save({ANGLES: stored.contiguous()}),
        "ids": json.dumps(list(ids), ensure_ascii=False).encode(),
    }
    if texts is not None:
        names["texts"] = f"texts-{number:05}.safetensors"
        contents["texts"] = safetensors.torch.save({TEXTS: texts.contiguous()})
    digests = {}
    for kind, name in names.items():
        write_atomically(folder / name, contents[kind])
        digests[f"{kind}_digest"] = hashlib.sha256(contents[kind]).hexdigest()
    return Shard(rows=len(ids), **names, **digests)


def bind_shard(folder: Path, shard: Shard) -> Shard:
    """A shard of the former format with the digests of its files.

    Raises:
        StoreError: one cannot be read.
    """
    if shard.bound:
        return shard
    read_ids(folder, shard)
    try:
        digests = {"file_digest": file_digest(folder / shard.file), "ids_digest": file_digest(folder / shard.ids)}
    except OSError as error:
        raise StoreError(f"{folder / shard.file} cannot be read ({error})") from error
    return shard.model_copy(update=digests)


def map_rows(folder: Path, shard: Shard, form: Form) -> Tensor:
    """The rows of a shard as they are stored: mapped, not read, so pages come in as rows are used.

    Raises:
        StoreError: the file is missing, damaged or of another form.
    """
    return _map(folder, shard.file, ANGLES, (shard.rows, form.numbers), form.dtype)


def check_rows(folder: Path, shard: Shard, stored: Tensor, form: Form) -> None:
    """Compare a shard with its digest, where there is one, and its rows with what they can be.

    Raises:
        StoreError: it is damaged.
    """
    _check_digest(folder / shard.file, shard.file_digest)
    for start in range(0, len(stored), ROWS_AT_ONCE):
        rows = stored[start : start + ROWS_AT_ONCE]
        if not form.are_sound(rows):
            place = start + next(number for number, row in enumerate(rows) if not form.are_sound(row[None]))
            raise StoreError(f"{folder / shard.file}: row {place} {form.unsound}")


def read_ids(folder: Path, shard: Shard) -> list[str]:
    """The ids of a shard.

    Raises:
        StoreError: the list is missing or damaged.
    """
    path = _inside(folder, shard.ids)
    try:
        content = read_bounded(path, max(SMALL, shard.rows * (LONGEST_ID + 8)))
        ids = parse_json(content.decode("utf-8"))
        if not isinstance(ids, list) or len(ids) != shard.rows:
            raise StoreError(f"{path} is damaged: expected a list of {shard.rows} ids")
        check_ids(ids)
    except StoreError:
        raise
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read ({error})") from error
    if shard.ids_digest is not None and hashlib.sha256(content).hexdigest() != shard.ids_digest:
        raise StoreError(_other(path))
    return ids


def read_texts(folder: Path, shard: Shard) -> Tensor | None:
    """Digests of the texts of a shard, (rows, 16), uint8, or None where they are not known.

    Raises:
        StoreError: the file is missing or damaged.
    """
    if shard.texts is None:
        return None
    texts = _map(folder, shard.texts, TEXTS, (shard.rows, DIGEST_BYTES), torch.uint8)
    _check_digest(folder / shard.texts, shard.texts_digest)
    return texts


def sweep(folder: Path, counting: set[str]) -> None:
    """Remove what a killed writer left: files that no manifest names, and temporary ones. Only for who holds the lock.

    Args:
        folder: the store's.
        counting: names of the files that count.
    """
    for name in _names(folder):
        if (found := LEFTOVERS.fullmatch(name)) is not None:
            remove_leftovers(folder / found[1])
        elif (FILES.fullmatch(name) or CODEC.fullmatch(name)) and name not in counting:
            (folder / name).unlink(missing_ok=True)


def has_shards(folder: Path) -> bool:
    """Whether there are files of shards."""
    return any(map(FILES.fullmatch, _names(folder)))


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _map(folder: Path, name: str, key: str, shape: tuple[int, int], dtype: torch.dtype) -> Tensor:
    path = _inside(folder, name)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            keys = list(file.keys())
            if keys != [key]:
                raise StoreError(f"{path} holds the tensors {', '.join(sorted(keys))[:60]}; expected {key!r} alone")
            part = file.get_slice(key)
            found = tuple(part.get_shape()), DTYPES.get(part.get_dtype(), part.get_dtype())
            if found != (shape, dtype):
                expected = str(dtype).removeprefix("torch.")
                raise StoreError(f"{path} holds {found[0]} {found[1]}; the manifest says {shape} {expected}")
            tensor: Tensor = file.get_tensor(key)
    except (OSError, safetensors.SafetensorError) as error:
        raise StoreError(f"{path} cannot be read ({error}); encode the corpus again") from error
    return tensor


def _inside(folder: Path, name: str) -> Path:
    path = folder / name
    if not inside(folder, name):
        raise StoreError(f"{path} leads outside of the store's folder; expected a file in it")
    if not path.is_file():
        raise StoreError(f"{path} is missing, or no file; put back a copy of it, or encode the corpus again")
    return path


def _check_digest(path: Path, digest: str | None) -> None:
    try:
        damaged = digest is not None and file_digest(path) != digest
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error}); encode the corpus again") from error
    if damaged:
        raise StoreError(_other(path))


def _other(path: Path) -> str:
    return (
        f"{path} is not the file that was written: it was damaged or exchanged since; put back a copy of it, or encode "
        "the corpus again"
    )
