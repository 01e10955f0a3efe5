"""The manifest of a store: which files count, how many rows each has, and their digests.

It is replaced in one step, so it decides: a file that it does not name is not there. Its own digest is in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from hybrid_qproj._util.files import read_bounded, write_atomically
from hybrid_qproj._util.folders import inside, is_file
from hybrid_qproj._util.schema import Strict, validated
from hybrid_qproj._util.seals import seal, unseal
from hybrid_qproj._util.strict_json import parse_json
from hybrid_qproj.index.errors import StoreError
from hybrid_qproj.index.precision import PRECISIONS, Precision

FORMAT: Final = "hybrid-qproj angles 2"
FORMER: Final = "hybrid-qproj angles 1"
"""Without digests; read, and written as `FORMAT` at the first change."""
MANIFEST = "manifest.json"
NEXT = "next.json"
"""Manifest of the store that is to take the place of this one, while it is encoded."""
LARGEST_MANIFEST = 256 << 20
"""Bytes of a manifest at most."""
WIDEST = 1 << 20
"""Angles of a document at most."""

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Shard(Strict):
    """Documents that were added together.

    Attributes:
        file: of angles, (rows, width).
        ids: file of their ids, a JSON list.
        rows: number of documents.
        texts: file of the digests of their texts, where they are known.
        file_digest: SHA-256 of each file.
        ids_digest: likewise.
        texts_digest: likewise.
    """

    file: Annotated[str, Field(pattern=r"^angles-[0-9]{5,12}\.safetensors$")]
    ids: Annotated[str, Field(pattern=r"^ids-[0-9]{5,12}\.json$")]
    rows: Annotated[int, Field(ge=1, le=1 << 40)]
    texts: Annotated[str, Field(pattern=r"^texts-[0-9]{5,12}\.safetensors$")] | None = None
    file_digest: Digest | None = None
    ids_digest: Digest | None = None
    texts_digest: Digest | None = None

    @property
    def bound(self) -> bool:
        """Whether the digests of its files are known."""
        return None not in (self.file_digest, self.ids_digest) and (self.texts is None) == (self.texts_digest is None)


class StoredCodec(Strict):
    """The codec that made the codes of a store.

    Attributes:
        fingerprint: of all that decides codes and scores; see `hybrid_qproj.codec.Codec.fingerprint`.
    """

    fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]

    @property
    def file(self) -> str:
        """Name of its file in the store's folder."""
        return f"codec-{self.fingerprint}.safetensors"


class Manifest(Strict):
    """What `manifest.json` says; `StoredAngles` has the meaning of each key."""

    format: Literal["hybrid-qproj angles 1", "hybrid-qproj angles 2"]
    width: Annotated[int, Field(ge=1, le=WIDEST)]
    precision: Precision | Literal["codes"]
    codec: StoredCodec | None = None
    model: Annotated[str, Field(max_length=4096)]
    fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{32}$")] | None = None
    shards: Annotated[list[Shard], Field(max_length=1_000_000)]
    removed: list[int]

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        files = [name for shard in self.shards for name in (shard.file, shard.ids, shard.texts) if name is not None]
        if len(set(files)) < len(files):
            raise ValueError("a file is named twice")
        if len(set(self.removed)) < len(self.removed):
            raise ValueError("a removed row is named twice")
        if self.removed and not (min(self.removed) >= 0 and max(self.removed) < self.rows):
            raise ValueError(f"removed rows must lie in 0 to {self.rows - 1}")
        if (self.codec is not None) != (self.precision == "codes"):
            raise ValueError("codes have a codec, angles have none")
        if self.codec is not None and self.format != FORMAT:
            raise ValueError(f"there are no codes in the format {FORMER!r}")
        if self.format == FORMAT and not all(shard.bound for shard in self.shards):
            raise ValueError("a digest is missing")
        return self

    @property
    def rows(self) -> int:
        """Rows of all shards."""
        return sum(shard.rows for shard in self.shards)

    @property
    def files(self) -> set[str]:
        """Names of all files that count."""
        files = {name for shard in self.shards for name in (shard.file, shard.ids, shard.texts) if name is not None}
        return files if self.codec is None else {*files, self.codec.file}

    @property
    def kind(self) -> tuple[int, str, StoredCodec | None, str | None]:
        """What rows of two stores must have in common to stand in one."""
        return self.width, self.precision, self.codec, self.fingerprint


def describe(
    width: int, precision: Precision, model: str, fingerprint: str | None, codec: str | None = None
) -> Manifest:
    """The manifest of an empty store.

    Args:
        width: k.
        precision: of angles; of no meaning where there is a codec.
        model: what encodes, for people.
        fingerprint: of the model.
        codec: fingerprint of the codec, where documents are codes.

    Raises:
        StoreError: what is given is not sound.
    """
    if precision not in PRECISIONS:
        raise StoreError(f"precision {precision!r}: expected one of {', '.join(PRECISIONS)}")
    try:
        return Manifest(
            format=FORMAT,
            width=width,
            precision=precision if codec is None else "codes",
            codec=None if codec is None else StoredCodec(fingerprint=codec),
            model=model,
            fingerprint=fingerprint,
            shards=[],
            removed=[],
        )
    except ValueError as error:
        raise StoreError(f"width={width!r}, model={model!r:.60}, fingerprint={fingerprint!r:.60}: {error}") from error


def shards_digest(shards: Sequence[Shard], codec: StoredCodec | None) -> str:
    """The state of a store's rows, in hexadecimal: which angles they have, in which order.

    Args:
        shards: of the store.
        codec: of the store, which says what angles its codes stand for; None where angles are stored.
    """
    lines = [f"{shard.file_digest} {shard.rows}" for shard in shards]
    return hashlib.sha256("\n".join([codec.fingerprint, *lines] if codec else lines).encode()).hexdigest()


def write_manifest(path: Path, manifest: Manifest) -> str:
    """Replace a manifest in one step.

    Returns:
        its stamp; see `read_manifest`.

    Raises:
        OutputError: it could not be written; the older one is unchanged.
        StoreError: so many rows were removed that it could not be read again.
    """
    content = seal(manifest.model_dump())
    if len(content) > LARGEST_MANIFEST:
        raise StoreError(
            f"{path} would be larger than {LARGEST_MANIFEST:,} bytes with {len(manifest.removed):,} removed documents; "
            "encode the corpus into another folder"
        )
    write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()


def read_manifest(path: Path) -> tuple[Manifest, str | None, str]:
    """Read a manifest.

    Returns:
        the manifest; what is wrong with its digest, if anything; and its stamp, by which a change is noticed.

    Raises:
        StoreError: it is missing or damaged; the message names it.
    """
    if not is_file(path):
        raise StoreError(f"{str(path.parent)!r} holds no angles: {path.name} is missing")
    if not inside(path.parent, path.name):
        raise StoreError(f"{path} is a link out of the store's folder; put the file itself there")
    try:
        content = read_bounded(path, LARGEST_MANIFEST)
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read ({error})") from error
    try:
        value = parse_json(content.decode("utf-8-sig"))
    except ValueError as error:
        raise StoreError(f"{path} cannot be read: it is no JSON ({error})") from error
    if not isinstance(value, dict) or value.get("format") not in (FORMAT, FORMER):
        raise StoreError(f"{path} is not of the format {FORMAT!r}")
    # That of the former format has none.
    problem = unseal(value) if value["format"] == FORMAT else None
    try:
        manifest = validated(Manifest, value)
    except ValueError as error:
        raise StoreError(f"{path} is damaged: {error}; put back a copy of it, or encode the corpus again") from error
    return manifest, problem, hashlib.sha256(content).hexdigest()
