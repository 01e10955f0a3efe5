"""What a module's files may say: settings and numbers. Whatever makes a library import, call or fetch is refused."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from torch import nn

from hybrid_qproj._util.folders import inside, is_folder
from hybrid_qproj._util.schema import Name, Strict, validated
from hybrid_qproj.heads.checkpoint import WEIGHTS, CheckpointError
from hybrid_qproj.models.folder import check_numbers, class_of, read
from hybrid_qproj.models.transformer import check_transformer

ACTIVATION = re.compile(r"torch\.nn\.modules\.(?:activation|linear)\.([A-Za-z0-9]+)")
READ = re.compile(
    r"(config|(tokenizer|special_tokens_map|added_tokens|vocab)(_config)?|sentence_[\w-]+_config|generation_config"
    r"|adapter_config|(\w+_)?(pre)?processor_config|chat_template|.*\.index)\.json"
)
"""Files of a module that a library reads; others in its folder are somebody's notes."""
WEIGHTED = ("Transformer", "Dense", "LayerNorm", "WeightedLayerPooling", "StaticEmbedding")


def check_module(folder: Path, name: str) -> None:
    """Refuse a module's files if they hold more than numbers and plain settings.

    Args:
        folder: of the module.
        name: of its class.

    Raises:
        CheckpointError: a file is damaged, or wants something imported, called, or fetched; the message names it.
    """
    tables = {path.name: read(path) for path in sorted(folder.glob("*.json")) if READ.fullmatch(path.name)}
    if name in WEIGHTED and not any((folder / file).is_file() for file in (WEIGHTS, f"{WEIGHTS}.index.json")):
        raise CheckpointError(
            f"{str(folder)!r} holds no {WEIGHTS}; weights of another kind can hold code and are not read. If you trust "
            "them, load and save the model with sentence-transformers once"
        )
    CHECKS.get(name, _plain_module)(folder, tables)


def _plain_module(folder: Path, tables: dict[str, Any]) -> None:
    config = tables.get("config.json", {})
    if not isinstance(config, dict):
        raise CheckpointError(f"{folder / 'config.json'} is damaged: expected a table")
    check_numbers(folder / "config.json", config)


def _layer(folder: Path, tables: dict[str, Any]) -> None:
    """A layer is built as large as its config says, before its weights are read."""
    _plain_module(folder, tables)
    config, path = tables.get("config.json", {}), folder / WEIGHTS
    claimed = [config[key] for key in ("in_features", "out_features", "dimension") if key in config]
    if not all(type(number) is int and number > 0 for number in claimed):
        raise CheckpointError(f"{folder / 'config.json'}: sizes {str(claimed)[:60]} are no whole numbers above 0")
    if math.prod(claimed) > path.stat().st_size:
        raise CheckpointError(
            f"{folder / 'config.json'}: a layer of {claimed} numbers does not fit {WEIGHTS} beside it"
        )


def _dense(folder: Path, tables: dict[str, Any]) -> None:
    _layer(folder, tables)
    config = tables.get("config.json")
    name = config.get("activation_function") if isinstance(config, dict) else None
    match = ACTIVATION.fullmatch(name) if isinstance(name, str) else None
    cls = getattr(nn, match[1], None) if match else None
    if name is not None and not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        raise CheckpointError(f"{folder / 'config.json'}: activation_function {str(name)[:60]!r} is none of torch.nn's")


class RouterParameters(Strict):
    """How a router chooses among its routes."""

    default_route: Name | None = None
    allow_empty_key: bool = True
    # Each is read as a Python literal.
    route_mappings: dict[Annotated[str, Field(max_length=200)], Name] = Field(default={})


class RouterConfig(Strict):
    """Modules of a router by name, and which make up which route."""

    types: dict[Name, Name]
    structure: dict[str, list[Name]]
    parameters: RouterParameters


def router_classes(folder: Path) -> dict[str, type[nn.Module]]:
    """The classes of a router's modules, after a check of each module's files.

    Args:
        folder: of the router.

    Returns:
        the reference in the config -> the class.

    Raises:
        CheckpointError: a class that is not loaded, or what `check_module` refuses.
    """
    path = next((folder / name for name in ROUTERS if (folder / name).is_file()), folder / ROUTERS[0])
    table = read(path)
    try:
        config = validated(RouterConfig, table)
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    found: dict[str, type[nn.Module]] = {}
    for name, reference in config.types.items():
        cls = class_of(reference)
        if cls is None or cls.__name__ == "Router" or not inside(folder, name) or "/" in name:
            raise CheckpointError(f"{path} wants a module {reference[:100]!r} in {name[:60]!r}, which is not loaded")
        # This module has nothing to save.
        if cls.__name__ != "Normalize" and not is_folder(folder / name):
            raise CheckpointError(f"{path} names the module {name[:60]!r}, but there is no such folder")
        check_module(folder / name, cls.__name__)
        found[reference] = cls
    if not all(name in config.types for names in config.structure.values() for name in names):
        raise CheckpointError(f"{path} is damaged: a route names a module that is not there")
    return found


def _router(folder: Path, tables: dict[str, Any]) -> None:
    del tables
    router_classes(folder)


ROUTERS = ("router_config.json", "config.json")
"""Where a router's config may stand: the older name last."""
CHECKS: dict[str, Callable[[Path, dict[str, Any]], None]] = {
    "Router": _router,
    "Transformer": check_transformer,
    "Dense": _dense,
    "LayerNorm": _layer,
}
