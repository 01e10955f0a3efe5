"""What a module's files may say: settings and numbers. Whatever makes a library import, call or fetch is refused."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import safetensors
import torch
from pydantic import Field
from torch import nn

from hybrid_qproj._util.folders import inside
from hybrid_qproj._util.schema import Name, Strict, validated
from hybrid_qproj.checkpoint import WEIGHTS, CheckpointError
from hybrid_qproj.model_folder import class_of, one_line, read

MOST_NUMBER = 1 << 28
"""Whole numbers in a config at most: token ids and widths are smaller."""
MOST_LAYERS = 1000
MOST_GROWTH, SPARE = 4, 1 << 24
"""Numbers that a transformer may have for each byte of its weights, and besides: decoders that are not used, tables of
positions."""
FORWARD = re.compile(r"forward|get_(text|image|audio|video)_features")
"""Methods of a transformer that a config may choose to call."""
ATTENTION = ("eager", "sdpa", "flex_attention")
"""Ways to compute attention that are part of transformers; all others are fetched or imported."""
ACTIVATION = re.compile(r"torch\.nn\.modules\.(?:activation|linear)\.([A-Za-z0-9]+)")
FETCHING = (
    "custom_pipelines",
    "quantization_config",
    "backbone",
    "use_pretrained_backbone",
    "use_timm_backbone",
    "use_kernels",
    "kernel_config",
    "adapter_kwargs",
    "pretrained_model_name_or_path",
    "tokenizer_name_or_path",
    "gguf_file",
    "device_map",
)
"""Keys with which a config makes transformers import code or fetch other models."""


CLASSES = {
    "tokenizer_class": re.compile(r"[A-Za-z0-9_]*(Tokenizer|TokenizerFast|TokenizersBackend|Backend)"),
    "processor_class": re.compile(r"[A-Za-z0-9_]*Processor"),
}
"""Names that transformers looks up among its own."""


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


READ = re.compile(
    r"(config|(tokenizer|special_tokens_map|added_tokens|vocab)(_config)?|sentence_[\w-]+_config|generation_config"
    r"|adapter_config|(\w+_)?(pre)?processor_config|chat_template|.*\.index)\.json"
)
"""Files of a module that a library reads; others in its folder are somebody's notes."""
WEIGHTED = ("Transformer", "Dense", "LayerNorm", "WeightedLayerPooling", "StaticEmbedding")


def _plain_module(folder: Path, tables: dict[str, Any]) -> None:
    config = tables.get("config.json", {})
    if not isinstance(config, dict):
        raise CheckpointError(f"{folder / 'config.json'} is damaged: expected a table")
    _check_numbers(folder / "config.json", config)


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


def _transformer(folder: Path, tables: dict[str, Any]) -> None:
    from transformers import CONFIG_MAPPING  # noqa: PLC0415 - an extra

    if "adapter_config.json" in tables:
        raise CheckpointError(
            f"{folder / 'adapter_config.json'} names another model to be fetched; merge the adapter into its model"
        )
    config = tables.get("config.json")
    if not isinstance(config, dict):
        raise CheckpointError(f"{folder / 'config.json'} is missing or no table; the module could not be loaded")
    if not isinstance(config.get("model_type"), str) or config["model_type"] not in CONFIG_MAPPING:
        raise CheckpointError(
            f"{folder / 'config.json'}: model_type {str(config.get('model_type'))[:60]!r} is none that transformers "
            "has; the module could not be loaded without running code that came with it"
        )
    for file, table in tables.items():
        if not isinstance(table, dict):
            raise CheckpointError(f"{folder / file} is damaged: expected a table")
        # A vocabulary: its words are no keys.
        if file in ("tokenizer.json", "vocab.json", "added_tokens.json") or file.endswith(".index.json"):
            continue
        _check_fetching(folder / file, table)
    _check_numbers(folder / "config.json", config)
    _check_shards(folder, tables)
    _check_size(folder)
    for file in (file for file in tables if file.startswith("sentence_")):
        _check_sentence_config(folder / file, tables[file])


def _check_fetching(path: Path, table: dict[str, Any]) -> None:
    for keys, value in _walk(table):
        key = keys[-1]
        # Not auto_map: transformers follows it only if told to trust it, and many a harmless model has one.
        if key in FETCHING and value not in (None, False):
            raise CheckpointError(f"{path}: {'.'.join(keys)} makes transformers import or fetch something; remove it")
        if key.endswith(("attn_implementation", "experts_implementation")) and not _is_attention(value):
            raise CheckpointError(
                f"{path}: {'.'.join(keys)} is {str(value)[:60]!r}, which is fetched or imported; expected one of "
                f"{', '.join(ATTENTION)}"
            )
        if key in CLASSES and value is not None and not (isinstance(value, str) and CLASSES[key].fullmatch(value)):
            raise CheckpointError(f"{path}: {'.'.join(keys)} is {str(value)[:60]!r}, which is no such class")
        if key == "fast_tokenizer_files" and not (
            isinstance(value, list) and all(isinstance(v, str) and "/" not in v and "\\" not in v for v in value)
        ):
            raise CheckpointError(f"{path}: fast_tokenizer_files names files outside the folder; remove it")


def _is_attention(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_attention(v) for v in value.values())
    return value is None or value in ATTENTION


def _check_numbers(path: Path, table: Any) -> None:
    for keys, value in _walk(table):
        if isinstance(value, int) and abs(value) > MOST_NUMBER:
            raise CheckpointError(f"{path}: {'.'.join(keys)} is {value}; expected {MOST_NUMBER} at most")
        if re.search(r"layers|n_layer|num_hidden_groups", keys[-1]) and isinstance(value, int) and value > MOST_LAYERS:
            raise CheckpointError(f"{path}: {'.'.join(keys)} is {value}; expected {MOST_LAYERS} at most")


def _check_shards(folder: Path, tables: dict[str, Any]) -> None:
    """An index of weights in several files names files of its own folder."""
    for file, table in tables.items():
        if file.endswith(".index.json"):
            names = table.get("weight_map")
            if not isinstance(names, dict) or not all(
                isinstance(n, str) and n.endswith(".safetensors") and "/" not in n and inside(folder, n)
                for n in names.values()
            ):
                raise CheckpointError(f"{folder / file}: weight_map names files that are none of this folder")


def _check_size(folder: Path) -> None:
    """Build the transformer without memory, and compare its numbers with those there are."""
    from transformers import AutoConfig, AutoModel  # noqa: PLC0415 - an extra

    try:
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        with torch.device("meta"):
            model = AutoModel.from_config(config, trust_remote_code=False)
    except Exception as error:
        raise CheckpointError(
            f"{folder / 'config.json'} describes no transformer, which could not be loaded: {one_line(error)}"
        ) from error
    _check_names(folder, model)
    wanted = sum(tensor.numel() for tensor in (*model.parameters(), *model.buffers()))
    there = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    if wanted > MOST_GROWTH * there + SPARE:
        raise CheckpointError(
            f"{folder / 'config.json'} describes a transformer of {wanted:,} numbers; the weights beside it are "
            f"{there:,} bytes"
        )


def _check_names(folder: Path, model: nn.Module) -> None:
    """Refuse weights of which a few are missing: transformers would draw them anew."""
    there: set[str] = set()
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                there.update(file.keys())
        except (safetensors.SafetensorError, OSError) as error:
            raise CheckpointError(f"{path} is damaged ({error}), so that the module could not be loaded") from error
    # Older names of the same weights; and a model saved with a head of its own has a prefix.
    named = {re.sub(r"gamma$", "weight", re.sub(r"beta$", "bias", name)) for name in there}
    named |= {name.partition(".")[2] for name in named}
    wanted = [name for name, _ in model.named_parameters() if "pooler" not in name]
    missing = [name for name in wanted if name not in named]
    # Most of them missing is another way of naming, or a decoder that was left out, which transformers knows.
    if missing and len(missing) <= max(1, len(wanted) // 10):
        raise CheckpointError(
            f"{folder / WEIGHTS} lacks {missing[0]!r}{' and others' if len(missing) > 1 else ''}; it was damaged or cut"
        )


def _check_sentence_config(path: Path, table: dict[str, Any]) -> None:
    """What sentence-transformers adds: methods that it calls, and keywords that it passes on."""
    for key in ("model_args", "model_kwargs", "tokenizer_args", "processor_kwargs", "config_args", "config_kwargs"):
        if table.get(key):
            raise CheckpointError(f"{path}: {key} holds arguments for code; only None or an empty table is read")
    modalities = table.get("modality_config", {})
    if not isinstance(modalities, dict):
        raise CheckpointError(f"{path}: modality_config is no table")
    for name, entry in modalities.items():
        method = entry.get("method") if isinstance(entry, dict) else None
        if not isinstance(method, str) or not FORWARD.fullmatch(method):
            raise CheckpointError(
                f"{path}: modality_config.{name[:60]} calls {str(method)[:60]!r}; expected forward or get_..._features"
            )
    if table.get("transformer_task", "feature-extraction") != "feature-extraction":
        raise CheckpointError(f"{path}: transformer_task is not 'feature-extraction', which an encoder of text does")
    _check_numbers(path, table)


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
    "Transformer": _transformer,
    "Dense": _dense,
    "LayerNorm": _layer,
}


def _walk(value: Any, keys: tuple[str, ...] = ("",)) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every key and value of nested tables and lists; JSON of bounded depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            path = (*keys, key) if keys != ("",) else (key,)
            yield path, inner
            yield from _walk(inner, path)
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, dict | list):
                yield from _walk(inner, keys)
            else:
                yield keys, inner
