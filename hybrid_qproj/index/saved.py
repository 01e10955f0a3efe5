"""The two files of an index: FAISS's own, and what is known of it, by which it is bound to the rows of a store.

They are replaced one after the other. So what is written first says both of the older and of the newer index what there
is to know, and the digest of FAISS's file decides which of them it is: after a kill at any moment one of them is whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from hybrid_qproj._util.files import read_bounded, read_json, write_atomically, writing
from hybrid_qproj._util.folders import file_digest, inside
from hybrid_qproj._util.locks import exclusive
from hybrid_qproj._util.schema import Strict, validated
from hybrid_qproj._util.seals import seal, unseal
from hybrid_qproj.index.errors import StoreError
from hybrid_qproj.index.faiss_bytes import from_bytes, to_bytes
from hybrid_qproj.index.first_stage import Kind
from hybrid_qproj.index.manifest import Digest
from hybrid_qproj.index.store import AngleStore

FORMAT: Final = "hybrid-qproj index 2"
INDEX = "index.faiss"
SETTINGS = "index.json"
INDEX_LOCK = ".index.lock"
MOST_CANDIDATES = 1 << 20
"""Candidates of a document at most."""
EDGE_BYTES = 1024
"""Bytes of a row at most beside its angles: the edges of HNSW."""


class Entry(Strict):
    """What is known of an index.

    Attributes:
        kind: flat, ivf, ivfpq or hnsw.
        candidates: documents of the first stage for each that is wanted.
        rows: of the store that it holds.
        shards: of the store that it holds.
        store: digest of these shards; see `StoredAngles.rows_digest`. None in the former format.
        digest: SHA-256 of FAISS's file; likewise.
    """

    kind: Kind
    candidates: Annotated[int, Field(ge=1, le=MOST_CANDIDATES)]
    rows: Annotated[int, Field(ge=1)]
    shards: Annotated[int, Field(ge=1)] | None = None
    store: Digest | None = None
    digest: Digest | None = None


class Record(Strict):
    """What `index.json` says: of the index that is there, and perhaps of the one that is to take its place."""

    format: Literal["hybrid-qproj index 2"]
    versions: Annotated[list[Entry], Field(min_length=1, max_length=2)]

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if any(entry.digest is None for entry in self.versions):
            raise ValueError("a digest is missing")
        return self


@contextmanager
def index_lock(folder: Path) -> Iterator[None]:
    """Build the index of a store alone.

    Raises:
        LockedError: somebody else is building it.
        OutputError: the folder cannot be written.
        StoreError: there is no such folder.
    """
    if not folder.is_dir():
        raise StoreError(f"there is no folder of angles {str(folder)!r}")
    with ExitStack() as stack:
        with writing(folder / INDEX):
            stack.enter_context(exclusive(folder / INDEX_LOCK, f"the index in {folder}"))
        yield


def write_index(store: AngleStore, index: Any, kind: Kind, candidates: int) -> None:
    """Write an index beside the files of its store; the older one is replaced whole, or stays.

    Args:
        store: whose first rows the index holds, up to the end of a shard.
        index: FAISS's.
        kind: of the index.
        candidates: documents of the first stage for each that is wanted.

    Raises:
        OutputError: it could not be written; an older index is unchanged.
        StoreError: the store is of the former format, and damaged.
    """
    store.upgrade()
    content = to_bytes(index)
    count = _shards(store, index.ntotal)
    entry = Entry(
        kind=kind,
        candidates=candidates,
        rows=index.ntotal,
        shards=count,
        store=store.rows_digest(count),
        digest=hashlib.sha256(content).hexdigest(),
    )
    path = store.folder / SETTINGS
    former = _present(store.folder)
    if former is not None:
        write_atomically(path, _sealed([former, entry]))
    write_atomically(store.folder / INDEX, content)
    write_atomically(path, _sealed([entry]))


def read_index(store: AngleStore) -> tuple[Any, Kind, int]:
    """Read the index of a store.

    Returns:
        FAISS's index, its kind, and candidates.

    Raises:
        StoreError: there is none, it is damaged, or it is of other documents.
    """
    path = store.folder / SETTINGS
    again = f"build it again with `hybrid-qproj index {store.folder}`"
    if not path.is_file():
        raise StoreError(
            f"{store.folder} has no index; build one with `hybrid-qproj index {store.folder}` ({SETTINGS} is missing)"
        )
    for name in (INDEX, SETTINGS):
        if not inside(store.folder, name):
            raise StoreError(f"{store.folder / name} is a link out of the store's folder; {again}")
    try:
        entries = _entries(path)
        most = 2 * store.rows * (4 * store.width + EDGE_BYTES) + (64 << 20)
        content = read_bounded(store.folder / INDEX, most)
        digest = hashlib.sha256(content).hexdigest()
        # Replaced since: what is known of the newer one is there now.
        entries = [*entries, *_entries(path)]
    except (OSError, ValueError) as error:
        raise StoreError(f"the index in {store.folder} cannot be read ({error}); {again}") from error
    entry = next((entry for entry in entries if entry.digest in (None, digest)), None)
    if entry is None:
        raise StoreError(
            f"the index in {store.folder} cannot be read ({store.folder / INDEX} is not the file that was written: it "
            f"was damaged or exchanged since); {again}"
        )
    if not _is_of(entry, store):
        raise StoreError(f"the index in {store.folder} is of other documents; {again}")
    try:
        index = from_bytes(content, entry.kind, store.width, entry.rows)
    except (ValueError, RuntimeError, MemoryError) as error:
        raise StoreError(f"{store.folder / INDEX} cannot be read ({error}); {again}") from error
    return index, entry.kind, entry.candidates


def _is_of(entry: Entry, store: AngleStore) -> bool:
    if entry.digest is None:
        # The former format does not bind an index to rows; nor is its store bound.
        return not store.bound and entry.rows <= store.rows
    shards = store.shards[: entry.shards]
    return (
        store.bound
        and len(shards) == entry.shards
        and sum(shard.rows for shard in shards) == entry.rows
        and entry.store == store.rows_digest(len(shards))
    )


def _shards(store: AngleStore, rows: int) -> int:
    total = 0
    for count, shard in enumerate(store.shards, start=1):
        total += shard.rows
        if total == rows:
            return count
    raise StoreError(f"the index holds {rows:,} documents, which is no whole number of shards of {store.folder}")


def _present(folder: Path) -> Entry | None:
    """What is known of the index that is there, if it is whole."""
    with suppress(OSError, ValueError):
        digest = file_digest(folder / INDEX)
        return next((entry for entry in _entries(folder / SETTINGS) if entry.digest == digest), None)
    return None


def _sealed(entries: list[Entry]) -> bytes:
    return seal(Record(format=FORMAT, versions=entries).model_dump())


def _entries(path: Path) -> list[Entry]:
    value = read_json(path)
    if not isinstance(value, dict):
        raise ValueError(f"{path} is damaged: expected a table")
    # The former format has no digest, and no name.
    problem = unseal(value) if "format" in value else None
    try:
        if "format" in value:
            entries = validated(Record, value).versions
        elif set(value) == {"kind", "candidates", "rows"}:
            entries = [validated(Entry, value)]
        else:
            raise ValueError("expected kind, candidates and rows")
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if problem:
        raise ValueError(f"{path} is damaged: {problem}")
    return entries
