"""A model's folder as somebody else may have written it: which modules it names, and whether they may be loaded.

sentence-transformers and transformers follow much that stands in such a folder: classes to import, methods to call,
other models to fetch, kernels to download. What only loads numbers passes here; the rest is refused before either
library sees the folder. Class names are looked up in a table, never imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from hybrid_qproj._util.files import read_json
from hybrid_qproj._util.folders import inside, is_folder
from hybrid_qproj._util.schema import Name, Strict, validated
from hybrid_qproj.errors import on_one_line
from hybrid_qproj.heads.checkpoint import CheckpointError
from hybrid_qproj.models.record import MODULES

if TYPE_CHECKING:
    from sentence_transformers.base.modules.module import Module

SETTINGS = "config_sentence_transformers.json"
PLACES = "models|base.modules|sentence_transformer.modules"
_TYPE = re.compile(rf"sentence_transformers\.(?:{PLACES})(?:\.[a-z_]+)?\.([A-Za-z]+)")
HEAD = "hybrid_qproj.sbert.ProjectionHead"
TRUNCATION = "hybrid_qproj.sbert.TruncateDim"
MOST_TEXT = 300
"""Letters of a library's error that ours repeats."""
MOST_NUMBER = 1 << 28
"""Whole numbers in a config at most: token ids and widths are smaller."""
MOST_LAYERS = 1000


class ModuleEntry(Strict):
    """One module of `modules.json`."""

    idx: Annotated[int, Field(ge=0, le=100)] = 0
    name: Annotated[str, Field(max_length=1000)] = ""
    path: Annotated[str, Field(max_length=1000)]
    type: Name
    kwargs: list[Name] = Field(default=[], max_length=20)


def known_classes() -> dict[str, type[Module]]:
    """Module classes that load nothing but numbers, by name."""
    from sentence_transformers.base.modules.dense import Dense  # noqa: PLC0415 - an extra
    from sentence_transformers.base.modules.normalize import Normalize  # noqa: PLC0415
    from sentence_transformers.base.modules.router import Router  # noqa: PLC0415
    from sentence_transformers.base.modules.transformer import Transformer  # noqa: PLC0415
    from sentence_transformers.sentence_transformer import modules  # noqa: PLC0415

    return {
        cls.__name__: cls
        for cls in (
            Transformer,
            modules.Pooling,
            Normalize,
            Dense,
            modules.LayerNorm,
            modules.Dropout,
            modules.WeightedLayerPooling,
            modules.StaticEmbedding,
            Router,
        )
    }


def class_of(reference: str, classes: dict[str, type[Module]] | None = None) -> type[Module] | None:
    """The class that a folder names, looked up and not imported.

    Args:
        reference: such as ``"sentence_transformers.models.Pooling"``, by any of the places where the library had it.
        classes: from `known_classes`.

    Returns:
        the class; None if it is not one of these.
    """
    match = _TYPE.fullmatch(reference)
    return (known_classes() if classes is None else classes).get(match[1]) if match else None


def read_modules(folder: Path) -> list[tuple[ModuleEntry, type[Module]]]:
    """The modules that a folder names, and their classes.

    Args:
        folder: of the model.

    Returns:
        module by module.

    Raises:
        CheckpointError: no such list, a class that is not loaded, or a path outside the folder.
    """
    from hybrid_qproj.models.modules import ProjectionHead, TruncateDim  # noqa: PLC0415 - imports an extra

    path = folder / MODULES
    if not path.is_file():
        raise CheckpointError(
            f"{str(folder)!r} holds no saved encoder: {MODULES} is missing (a bare head is read with "
            "QuantumProjection.load)"
        )
    table = read(path)
    if not isinstance(table, list) or not table or not all(isinstance(entry, dict) for entry in table):
        raise CheckpointError(f"{path} is damaged: expected a list of modules with type and path")
    classes = known_classes()
    found: list[tuple[ModuleEntry, type[Module]]] = []
    for row in table:
        try:
            entry = validated(ModuleEntry, row)
        except ValueError as error:
            raise CheckpointError(
                f"{path} is damaged: expected a list of modules with type and path; {error}"
            ) from error
        own: dict[str, type[Module]] = {HEAD: ProjectionHead, TRUNCATION: TruncateDim}
        cls = own.get(entry.type) or class_of(entry.type, classes)
        if cls is None:
            raise CheckpointError(
                f"{path} wants a module {entry.type[:100]!r}; only {HEAD} and these of sentence_transformers "
                f"are loaded: {', '.join(classes)}. If you trust the folder, load it with SentenceTransformer yourself"
            )
        if entry.path and not inside(folder, entry.path):
            raise CheckpointError(f"{path} points outside the model's folder: {entry.path[:100]!r}")
        # A repository keeps no empty folder, and this module has nothing to save.
        if cls.__name__ != "Normalize" and not is_folder(folder / entry.path):
            raise CheckpointError(f"{path} names the module {entry.path[:100]!r}, but there is no such folder")
        found.append((entry, cls))
    return found


def read(path: Path) -> Any:
    """A JSON file of a model.

    Raises:
        CheckpointError: it cannot be read, or is no JSON.
    """
    try:
        return read_json(path)
    except ValueError as error:
        raise CheckpointError(f"{error}") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error


def read_settings(folder: Path) -> dict[str, Any]:
    """Prompts of a model, which is the default, and where its embeddings are cut.

    Args:
        folder: of the model.

    Returns:
        ``prompts``, ``default_prompt_name`` and ``truncate_dim`` as SentenceTransformer takes them.

    Raises:
        CheckpointError: the file is damaged.
    """
    path = folder / SETTINGS
    if not path.exists():
        return {}
    table = read(path)
    if not isinstance(table, dict):
        raise CheckpointError(f"{path} is damaged: expected a table")
    prompts, default = table.get("prompts"), table.get("default_prompt_name")
    if not (prompts is None or (isinstance(prompts, dict) and all(isinstance(v, str) for v in prompts.values()))):
        raise CheckpointError(f"{path} is damaged: prompts is not a table of texts")
    if default is not None and (not isinstance(default, str) or default not in (prompts or {})):
        raise CheckpointError(f"{path} is damaged: default_prompt_name is none of the prompts")
    dim = table.get("truncate_dim")
    if dim is not None and (not isinstance(dim, int) or isinstance(dim, bool) or dim < 1):
        raise CheckpointError(f"{path} is damaged: truncate_dim is no number of outputs")
    return {"prompts": prompts, "default_prompt_name": default, "truncate_dim": dim}


def check_links(folder: Path) -> None:
    """Refuse links out of a model's folder, but for those by which a hub's cache keeps files once; and pipes.

    Raises:
        CheckpointError: there is one.
    """
    for path in folder.rglob("*"):
        if path.is_symlink() and not inside(folder, path.relative_to(folder).as_posix()):
            raise CheckpointError(f"{path} is a link out of the model's folder; put the file itself there")
        # Whoever opens a pipe waits for its other end.
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise CheckpointError(f"{path} is no file and no folder; remove it")


def one_line(error: BaseException) -> str:
    """A library's error as a part of ours."""
    text = on_one_line(error)
    return f"{type(error).__name__}: {text if len(text) <= MOST_TEXT else text[:MOST_TEXT] + '...'}"


def check_numbers(path: Path, table: Any) -> None:
    """Refuse numbers that no model has, before anything of their size is made.

    Raises:
        CheckpointError: a whole number, or a number of layers, is too large.
    """
    for keys, value in walk(table):
        if isinstance(value, int) and abs(value) > MOST_NUMBER:
            raise CheckpointError(f"{path}: {'.'.join(keys)} is {value}; expected {MOST_NUMBER} at most")
        if re.search(r"layers|n_layer|num_hidden_groups", keys[-1]) and isinstance(value, int) and value > MOST_LAYERS:
            raise CheckpointError(f"{path}: {'.'.join(keys)} is {value}; expected {MOST_LAYERS} at most")


def walk(value: Any, keys: tuple[str, ...] = ("",)) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every key and value of nested tables and lists; JSON of bounded depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            path = (*keys, key) if keys != ("",) else (key,)
            yield path, inner
            yield from walk(inner, path)
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, dict | list):
                yield from walk(inner, keys)
            else:
                yield keys, inner
