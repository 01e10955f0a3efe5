"""The manifest of a store: which files count, how many rows each has, and their digests.

It is replaced in one step, so it decides: a file that it does not name is not there. Its own digest is in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from hybrid_qproj._util.files import read_bounded, write_atomically
from hybrid_qproj._util.folders import inside, is_file
from hybrid_qproj._util.schema import Strict, validated
from hybrid_qproj._util.seals import seal, unseal
from hybrid_qproj._util.strict_json import parse_json
from hybrid_qproj.codec.codec import Codec
from hybrid_qproj.index.errors import StoreError
from hybrid_qproj.index.precision import PRECISIONS, Precision, name_of

FORMAT: Final = "hybrid-qproj angles 2"
FORMER: Final = "hybrid-qproj angles 1"
"""Without digests; read, and written as `FORMAT` at the first change."""
CODES: Final = "hybrid-qproj codes 1"
"""Like `FORMAT`, of a store that keeps codes; versions that know no codecs refuse it by this name."""
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


class Manifest(Strict):
    """What `manifest.json` says; `StoredAngles` has the meaning of each key."""

    format: Literal["hybrid-qproj angles 1", "hybrid-qproj angles 2", "hybrid-qproj codes 1"]
    width: Annotated[int, Field(ge=1, le=WIDEST)]
    precision: Precision
    model: Annotated[str, Field(max_length=4096)]
    fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{32}$")] | None = None
    shards: Annotated[list[Shard], Field(max_length=1_000_000)]
    removed: list[int]
    codec: Annotated[str, Field(pattern="^[0-9a-f]{32}$")] | None = None

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        files = [name for shard in self.shards for name in (shard.file, shard.ids, shard.texts) if name is not None]
        if len(set(files)) < len(files):
            raise ValueError("a file is named twice")
        if len(set(self.removed)) < len(self.removed):
            raise ValueError("a removed row is named twice")
        if self.removed and not (min(self.removed) >= 0 and max(self.removed) < self.rows):
            raise ValueError(f"removed rows must lie in 0 to {self.rows - 1}")
        if not (self.format == CODES) == (self.precision == "codes") == (self.codec is not None):
            raise ValueError(f"a codec is named where there are no codes, or none where there are ({self.precision})")
        if self.bound and not all(shard.bound for shard in self.shards):
            raise ValueError("a digest is missing")
        return self

    @property
    def rows(self) -> int:
        """Rows of all shards."""
        return sum(shard.rows for shard in self.shards)

    @property
    def files(self) -> set[str]:
        """Names of all files that count."""
        of_shards = {name for shard in self.shards for name in (shard.file, shard.ids, shard.texts) if name is not None}
        return of_shards if self.codec is None else {*of_shards, codec_file(self.codec)}

    @property
    def bound(self) -> bool:
        """Whether the digests of all files are known."""
        return self.format != FORMER

    def plain(self) -> dict[str, Any]:
        """As plain values: stores without codes are written as versions without codecs wrote them."""
        return self.model_dump(exclude={"codec"} if self.codec is None else None)

    def is_of(self, width: int, precision: Precision | Codec, fingerprint: str | None) -> bool:
        """Whether rows of such a kind, by such a model, are what it lists."""
        codec = precision.fingerprint if isinstance(precision, Codec) else None
        found = (self.width, self.precision, self.codec, self.fingerprint)
        return found == (width, name_of(precision), codec, fingerprint)


def codec_file(fingerprint: str) -> str:
    """Name of the file of a codec: each has its own, as a folder can hold a store and the one that is to replace it."""
    return f"codec-{fingerprint}.safetensors"


def describe(width: int, precision: Precision | Codec, model: str, fingerprint: str | None) -> Manifest:
    """The manifest of an empty store.

    Raises:
        StoreError: what is given is not sound.
    """
    codec = precision if isinstance(precision, Codec) else None
    if codec is None and precision not in PRECISIONS:
        raise StoreError(f"precision {precision!r}: expected one of {', '.join(PRECISIONS)}, or a codec")
    if codec is not None and codec.width != width:
        raise StoreError(f"the codec is one of {codec.width} numbers, the store of {width!r:.60}; expected the same")
    try:
        return Manifest(
            format=FORMAT if codec is None else CODES,
            width=width,
            precision=name_of(precision),
            codec=None if codec is None else codec.fingerprint,
            model=model,
            fingerprint=fingerprint,
            shards=[],
            removed=[],
        )
    except ValueError as error:
        raise StoreError(f"width={width!r}, model={model!r:.60}, fingerprint={fingerprint!r:.60}: {error}") from error


def shards_digest(shards: Sequence[Shard], codec: str | None = None) -> str:
    """The state of a store's rows, in hexadecimal: which angles they have, in which order.

    Args:
        shards: of the store.
        codec: fingerprint of its codec, which decides what the rows stand for.
    """
    lines = [f"{shard.file_digest} {shard.rows}" for shard in shards]
    return hashlib.sha256("\n".join(lines if codec is None else [codec, *lines]).encode()).hexdigest()


def write_manifest(path: Path, manifest: Manifest) -> str:
    """Replace a manifest in one step.

    Returns:
        its stamp; see `read_manifest`.

    Raises:
        OutputError: it could not be written; the older one is unchanged.
        StoreError: so many rows were removed that it could not be read again.
    """
    content = seal(manifest.plain())
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
    if not isinstance(value, dict) or value.get("format") not in (FORMAT, FORMER, CODES):
        raise StoreError(f"{path} is not of the format {FORMAT!r}")
    # That of the former format has none.
    problem = unseal(value) if value["format"] != FORMER else None
    try:
        manifest = validated(Manifest, value)
    except ValueError as error:
        raise StoreError(f"{path} is damaged: {error}; put back a copy of it, or encode the corpus again") from error
    return manifest, problem, hashlib.sha256(content).hexdigest()
