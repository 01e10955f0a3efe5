"""What a transformer's files may say, and what must be there; the libraries that read them would follow far more."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import safetensors
import torch
from torch import nn

from hybrid_qproj._util.folders import inside
from hybrid_qproj.heads.checkpoint import WEIGHTS, CheckpointError
from hybrid_qproj.models.folder import check_numbers, one_line, walk

MOST_GROWTH, SPARE = 4, 1 << 24
"""Numbers that a transformer may have for each byte of its weights, and besides: decoders that are not used, tables of
positions."""
FORWARD = re.compile(r"forward|get_(text|image|audio|video)_features")
"""Methods of a transformer that a config may choose to call."""
ATTENTION = ("eager", "sdpa", "flex_attention")
"""Ways to compute attention that are part of transformers; all others are fetched or imported."""
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


def check_transformer(folder: Path, tables: dict[str, Any]) -> None:
    """Refuse a transformer's files if they want code or other models, or do not hold what they say.

    Args:
        folder: of the transformer.
        tables: its JSON files by name.

    Raises:
        CheckpointError: so it is; the message names the file.
    """
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
    check_numbers(folder / "config.json", config)
    _check_shards(folder, tables)
    _check_size(folder)
    for file in (file for file in tables if file.startswith("sentence_")):
        _check_sentence_config(folder / file, tables[file])


def _check_fetching(path: Path, table: dict[str, Any]) -> None:
    for keys, value in walk(table):
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
    check_numbers(path, table)
