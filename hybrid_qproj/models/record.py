"""A model's folder is replaced whole, and a record of its files binds them to each other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from hybrid_qproj._util.files import OutputError, read_json
from hybrid_qproj._util.folders import check_files, describe_files, inside, read_record, replace_folder
from hybrid_qproj.heads.checkpoint import CheckpointError

RECORD = "hybrid_qproj.json"
MODULES = "modules.json"
FORM = "hybrid-qproj model 1"
CARD = "README.md"
"""Of a model: for people, who edit it."""
ROOT = (
    "config.json",
    "config_sentence_transformers.json",
    "model.safetensors",
    "modules.json",
    "pytorch_model.bin",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentence_bert_config.json",
    "model.safetensors.index.json",
    RECORD,
)
"""What a model without a record may have in its own folder."""


@contextmanager
def replaced_model(folder: Path) -> Iterator[Path]:
    """A new folder to save a model in, which takes the place of `folder` when the block ends without error.

    Args:
        folder: the folder that is wanted. What is no part of an older model there is taken along.

    Yields:
        an empty folder.

    Raises:
        OutputError: it could not be written; an older model is unchanged.
        LockedError: another process is writing there.
    """
    home = folder.resolve()
    if Path.cwd().is_relative_to(home) or home.is_mount():
        # The folder that comes in its place is another one: this process, or the mount, would be left with the old.
        raise OutputError(
            f"{folder} is the folder that this process works in, or where a file system is mounted, and cannot be "
            f"replaced in one step; save to a folder in it, such as {folder / 'model'}"
        )
    with replace_folder(folder, _files_of_model) as staging:
        yield staging
        files = describe_files(staging, exclude=lambda name: name == CARD)
        (staging / RECORD).write_text(json.dumps({"format": FORM, "files": files}, indent=2), encoding="utf-8")


def _files_of_model(folder: Path) -> set[str]:
    try:
        record = read_files(folder)
    except CheckpointError:
        record = None
    if record is not None:
        return {*record, RECORD}
    subfolders = _module_folders(folder)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {
        name
        for name in found
        if name in ROOT
        or PurePosixPath(name).match("model-*-of-*.safetensors")
        or any(name.startswith(f"{part}/") for part in subfolders)
    }


def _module_folders(folder: Path) -> set[str]:
    try:
        entries = read_json(folder / MODULES)
    except (ValueError, OSError):
        return set()
    paths = [entry.get("path") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return {path for path in paths if isinstance(path, str) and inside(folder, path) and path.strip("./")}


def read_files(folder: Path) -> dict[str, str] | None:
    """The digests of a model's files.

    Args:
        folder: of the model.

    Returns:
        relative path -> SHA-256; None of a model that was saved without a record.

    Raises:
        CheckpointError: the record is damaged.
    """
    path = folder / RECORD
    try:
        record: dict[str, Any] | None = read_record(path, FORM)
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{path} is damaged: {error}; copy or save the model again") from error
    if record is None:
        return None
    files = record.get("files")
    if set(record) != {"format", "files"} or not isinstance(files, dict) or not files or MODULES not in files:
        raise CheckpointError(f"{path} is damaged: expected the digests of a model's files")
    if not all(isinstance(digest, str) for digest in files.values()):
        raise CheckpointError(f"{path} is damaged: a digest is no text")
    return files


def check_model(folder: Path, files: dict[str, str] | None) -> None:
    """Make sure that a model's files are those that were saved together.

    Args:
        folder: of the model.
        files: from `read_files`.

    Raises:
        CheckpointError: one is missing, damaged or another; the message names it.
    """
    try:
        check_files(folder, files or {})
    except (ValueError, OSError) as error:
        raise CheckpointError(
            f"the model could not be loaded: {error}. Copy or save it again; if you changed it on purpose, delete "
            f"{folder / RECORD}"
        ) from error
