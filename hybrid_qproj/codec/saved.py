"""A codec in a file: its tensors as safetensors, with its config and its fingerprint as JSON in the header."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field
from torch import Tensor

from hybrid_qproj._util.files import writing
from hybrid_qproj._util.folders import inside, is_file
from hybrid_qproj._util.schema import Strict, Width, validated
from hybrid_qproj._util.tensors import read_bound_tensors, read_metadata, save_tensors
from hybrid_qproj.codec import registry
from hybrid_qproj.codec.errors import CodecError
from hybrid_qproj.codec.scheme import Score

FORMAT: Final = "hybrid-qproj codec 1"
FILE = "codec.safetensors"
RECORD = "codec"
"""Key of the header."""


class Record(Strict):
    """What the header says; `hybrid_qproj.codec.codec.Codec` has the meaning of each key."""

    format: Literal["hybrid-qproj codec 1"]
    scheme: Annotated[str, Field(max_length=100)]
    width: Width
    bytes: Width
    similarity: Literal["fidelity", "cosine"]
    score: Score
    head: Annotated[str, Field(pattern="^[0-9a-f]{32}$")] | None
    fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]


def write(folder: Path, config: dict[str, Any], tensors: dict[str, Tensor], fingerprint: str, name: str = FILE) -> None:
    """Write a codec, whole or not at all.

    Args:
        folder: made if it is missing.
        config: of the codec.
        tensors: of its scheme.
        fingerprint: of both.
        name: of the file.

    Raises:
        OutputError: it could not be written; an older one is unchanged.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    save_tensors(folder / name, tensors, {RECORD: {"format": FORMAT, **config, "fingerprint": fingerprint}})


def read(path: Path) -> tuple[Record, dict[str, Tensor]]:
    """Read a codec's file. Sizes are compared with what its scheme needs before any is allocated.

    Args:
        path: the file.

    Returns:
        its record, and its tensors.

    Raises:
        CodecError: it is missing or damaged.
    """
    if not is_file(path):
        raise CodecError(f"{str(path.parent)!r} holds no codec: {path.name} is missing")
    if not inside(path.parent, path.name):
        raise CodecError(f"{path} is a link out of its folder; put the file itself there")
    try:
        found = read_metadata(path).get(RECORD)
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise CodecError(f"{path} is not of the format {FORMAT!r}")
        record = validated(Record, found)
        scheme = registry.get(record.scheme)
        scheme.check(record.width, record.bytes)
        tensors = read_bound_tensors(path, scheme.forms(record.width, record.bytes), None)
    except CodecError as error:
        raise CodecError(str(error) if str(path) in str(error) else f"{path} is damaged: {error}") from error
    except (OSError, ValueError) as error:
        raise CodecError(f"{path} is damaged ({error}); copy it again, or fit the codec again") from error
    return record, tensors
