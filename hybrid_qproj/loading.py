"""A saved encoder with its head, loaded without running code that came with it."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybrid_qproj.checkpoint import CONFIG, CheckpointError
from hybrid_qproj.encoders import PRESETS
from hybrid_qproj.extras import require
from hybrid_qproj.heads import load_head
from hybrid_qproj.projection import QuantumProjection

if TYPE_CHECKING:
    from sentence_transformers.base.modules.module import Module

    from hybrid_qproj.sbert import Encoder

TRUSTED = ("sentence_transformers.", "hybrid_qproj.sbert.")


def load(path: str | Path, device: str | None = None, quantum_device: str | None = None) -> Encoder:
    """Load an encoder with its head.

    Module by module through sentence-transformers' own loaders and with remote code switched off: only classes
    of sentence-transformers and of this package are used, whatever the folder says.

    Args:
        path: a folder written by ``save_pretrained``, or a hub id.
        device: torch device; the best there is when None.
        quantum_device: device string that replaces the saved one.

    Returns:
        the encoder.

    Raises:
        ValueError: ``quantum_device`` is given but the head is classical.
        CheckpointError: not such a folder, a module of a class that is not trusted, or damaged files.
        MissingExtraError: sentence-transformers is not installed.
    """
    from hybrid_qproj.sbert import Encoder, ProjectionHead  # noqa: PLC0415 - imports an extra

    folder = _local(path)
    entries = _json(folder / "modules.json", folder)
    if not isinstance(entries, list) or not all(isinstance(e, dict) and {"type", "path"} <= e.keys() for e in entries):
        raise CheckpointError(f"{folder / 'modules.json'} is damaged: expected a list of modules with type and path")
    classes = [_trusted_class(entry["type"], folder) for entry in entries]
    if not classes or classes[-1] is not ProjectionHead:
        raise CheckpointError(
            f"{str(folder)!r} is a sentence-transformers model without a projection head; load it with "
            "SentenceTransformer and add one with hybrid_qproj.sbert.with_head"
        )
    modules = []
    for entry, cls in zip(entries, classes, strict=True):
        subfolder = entry["path"]
        if not (folder / subfolder).resolve().is_relative_to(folder.resolve()):
            raise CheckpointError(f"{folder / 'modules.json'} points outside the model's folder: {subfolder!r}")
        try:
            modules.append(cls.load(str(folder), subfolder=subfolder, local_files_only=True, trust_remote_code=False))
        except CheckpointError:
            raise
        except Exception as error:
            raise CheckpointError(
                f"module {entry['type']} in {str(folder / subfolder)!r} could not be loaded: "
                f"{type(error).__name__}: {error}"
            ) from error
    config = folder / "config_sentence_transformers.json"
    settings = _json(config, folder) if config.exists() else {}
    encoder = Encoder(
        modules=modules,
        device=device,
        prompts=settings.get("prompts"),
        default_prompt_name=settings.get("default_prompt_name"),
    ).eval()
    if quantum_device is not None:
        if not isinstance(encoder.head, QuantumProjection):
            raise ValueError(f"quantum_device={quantum_device!r}: the model's head is a {type(encoder.head).__name__}")
        encoder.head.to_device(quantum_device)
    return encoder


def load_quantum_head(path: str | Path) -> QuantumProjection:
    """The quantum head of a saved encoder, or a saved head itself.

    Args:
        path: a folder written by ``head.save`` or ``save_pretrained``, or a hub id.

    Returns:
        the head, in eval mode.

    Raises:
        CheckpointError: there is no head, it is classical, or files are damaged.
        MissingExtraError: it is an encoder, and sentence-transformers is not installed.
    """
    folder = Path(path)
    # A saved encoder has a config.json of its own.
    bare = (folder / CONFIG).exists() and not (folder / "modules.json").exists()
    head = load_head(folder) if bare else load(path).head
    if not isinstance(head, QuantumProjection):
        raise CheckpointError(f"{str(path)!r} holds a {type(head).__name__}, which has no circuits")
    return head


def _local(path: str | Path) -> Path:
    folder = Path(path)
    if folder.is_dir():
        return folder
    if isinstance(path, Path) or folder.is_absolute() or str(path).startswith(".") or str(path).count("/") > 1:
        raise CheckpointError(f"there is no folder {str(path)!r}")
    if str(path) in PRESETS:
        raise CheckpointError(
            f"{str(path)!r} is an encoder, which has no head: fit one with hybrid-qproj fit {path} CORPUS --k K "
            "--out MODEL, and give MODEL"
        )
    hub = require("huggingface_hub", "text", "loading from a hub")
    try:
        return Path(hub.snapshot_download(str(path)))
    except Exception as error:
        raise CheckpointError(
            f"{str(path)!r} is no folder here, and could not be had from the hub: {type(error).__name__}: {error}"
        ) from error


def _json(path: Path, folder: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{str(folder)!r} holds no saved encoder: {path.name} is missing (a bare head is read with "
            "QuantumProjection.load)"
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} is no JSON: {error}") from error


def _trusted_class(reference: str, folder: Path) -> type[Module]:
    if not reference.startswith(TRUSTED):
        raise CheckpointError(
            f"{str(folder)!r} wants a module {reference!r}; only modules of sentence_transformers and of "
            "hybrid_qproj.sbert are loaded. If you trust the folder, load it with SentenceTransformer yourself"
        )
    from sentence_transformers.base.modules.module import Module  # noqa: PLC0415 - an extra

    module_name, _, name = reference.rpartition(".")
    try:
        cls = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise CheckpointError(f"{str(folder)!r} wants a module {reference!r}, which does not exist: {error}") from error
    if not (isinstance(cls, type) and issubclass(cls, Module)):
        raise CheckpointError(f"{reference!r} in {str(folder)!r} is no sentence-transformers module")
    return cls
