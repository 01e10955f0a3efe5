"""What determines an embedding, as short hashes: the text, and everything about the encoder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from hybrid_qproj.heads.base import Head
from hybrid_qproj.heads.fingerprint import head_fingerprint
from hybrid_qproj.text.sides import Side, knows_sides, side_prompt

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DIGEST_BYTES = 8
Mark = Literal["query", "document", "plain"]
"""What an embedding is of: a query, a document, or a text that was encoded as neither."""
Autocast = Literal["bfloat16"]
"""Type that an encoder computes in where torch deems it safe; embeddings stay float32."""
MARKS: dict[Mark | None, int] = {
    None: 0,
    "query": 0x9E3779B97F4A7C15,
    "document": 0xC2B2AE3D27D4EB4F,
    "plain": 0x165667B19E3779F9,
}
"""What tells the hashes of one text apart; None for embeddings that serve as all."""
VERSION = 2
"""Of what a fingerprint covers."""
IRRELEVANT = frozenset({"_name_or_path", "architectures", "transformers_version", "dtype", "torch_dtype"})
"""Parts of a config that change with the folder or program that saved it; the weights' own type counts."""
TOKENS = ("padding_side", "truncation_side", "model_input_names")
"""What a tokenizer does beside its vocabulary."""


def text_keys(texts: Sequence[str]) -> np.ndarray:
    """By what tables and caches find the embedding of a text: a hash of it.

    Args:
        texts: n texts.

    Returns:
        (n,) uint64. Among ten million texts, two share one with a probability of 3e-6.
    """
    joined = b"".join(hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).digest() for text in texts)
    return np.frombuffer(joined, dtype="<u8")


def marked(digests: np.ndarray, mark: Mark | None) -> np.ndarray:
    """Hashes of texts as what they are: a text that is both a query and a document has two.

    Args:
        digests: of the texts alone, (n,) uint64.
        mark: None for embeddings that serve as all.

    Returns:
        (n,) uint64.
    """
    return digests ^ np.uint64(MARKS[mark])


def encoder_fingerprint(encoder: SentenceTransformer) -> str:
    """Hash of all that determines an encoder's embeddings: weights, configs, tokenizers, cut-offs, prompts, the head.

    Args:
        encoder: the encoder, with or without a head.

    Returns:
        32 hexadecimal digits; the same wherever the model was loaded from, and on any torch device.
    """
    return _fingerprint(encoder, {"prompts": encoder.prompts, "default": encoder.default_prompt_name})


def side_fingerprint(encoder: SentenceTransformer, side: Side | None, autocast: Autocast | None = None) -> str:
    """Hash of all that determines an encoder's embeddings of texts of one side.

    Args:
        encoder: the encoder.
        side: None for ``encode``, which knows no sides.
        autocast: what it computes in; None for its own type.

    Returns:
        32 hexadecimal digits; the same for both sides of an encoder that embeds them alike.
    """
    settings = {"prompt": side_prompt(encoder, side), "task": side if knows_sides(encoder) else None}
    return _fingerprint(encoder, settings if autocast is None else {**settings, "autocast": autocast})


def _fingerprint(encoder: SentenceTransformer, settings: dict[str, Any]) -> str:
    found = hashlib.sha256()
    settings = {
        **settings,
        "version": VERSION,
        "modules": [[name, type(module).__name__, _plain(module)] for name, module in _modules(encoder)],
        "truncate_dim": encoder.truncate_dim,
    }
    found.update(json.dumps(settings, sort_keys=True).encode())
    for name, tensor in sorted(encoder.state_dict().items()):
        array = tensor.detach().cpu().contiguous()
        found.update(f"{name} {array.dtype} {tuple(array.shape)}".encode())
        found.update(memoryview(array.flatten().view(torch.uint8).numpy()))
    return found.hexdigest()[:32]


def _modules(encoder: SentenceTransformer) -> Iterator[tuple[str, Any]]:
    """The modules of an encoder, those of its routes too, by their place."""
    for place, module in enumerate(encoder):
        yield str(place), module
        for route, parts in getattr(module, "sub_modules", {}).items():
            for number, part in enumerate(parts):
                yield f"{place}.{route}.{number}", part


def _plain(module: Any) -> Any:
    """Everything about a module that is not in its weights."""
    keys = [key for key in getattr(module, "config_keys", ()) if key not in IRRELEVANT]
    head: Any = getattr(module, "head", None)
    config: Any = getattr(module, "config", None)
    tokenizer: Any = getattr(module, "tokenizer", None)
    backend: Any = getattr(tokenizer, "backend_tokenizer", tokenizer)
    return _jsonable(
        {
            "settings": {key: getattr(module, key, None) for key in keys},
            "max_tokens": getattr(module, "max_seq_length", None),
            # What differs from the defaults: those that a later release adds do not count.
            "config": {k: v for k, v in config.to_diff_dict().items() if k not in IRRELEVANT}
            if hasattr(config, "to_diff_dict")
            else None,
            "head": head_fingerprint(head) if isinstance(head, Head) else None,
            "tokenizer": _without_lengths(backend.to_str())
            if hasattr(backend, "to_str")
            else tokenizer.get_vocab()
            if hasattr(tokenizer, "get_vocab")
            else None,
            "tokens": {key: getattr(tokenizer, key, None) for key in TOKENS},
        }
    )


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, str | int | float | bool | None):
        return value
    # An activation, by its class and settings; a representation with an address would differ in each process.
    details = value.extra_repr() if isinstance(value, torch.nn.Module) else getattr(value, "__name__", "")
    return [f"{type(value).__module__}.{type(value).__qualname__}", details]


def _without_lengths(tokenizer: str) -> str:
    """A tokenizer's JSON without the padding and truncation of its last call."""
    table = json.loads(tokenizer)
    table.pop("padding", None)
    table.pop("truncation", None)
    return json.dumps(table, sort_keys=True)
