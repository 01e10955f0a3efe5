"""What determines an embedding, as short hashes: the text, and everything about the encoder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DIGEST_BYTES = 8


def text_digests(texts: Sequence[str]) -> np.ndarray:
    """Hashes of texts.

    Args:
        texts: n texts.

    Returns:
        (n,) uint64. Among ten million texts, two share one with a probability of 3e-6.
    """
    joined = b"".join(hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).digest() for text in texts)
    return np.frombuffer(joined, dtype="<u8")


def encoder_fingerprint(encoder: SentenceTransformer) -> str:
    """Hash of all that determines an encoder's embeddings: weights, tokenizer, pooling, cut-off, prompts.

    Args:
        encoder: the encoder.

    Returns:
        32 hexadecimal digits; the same wherever the model was loaded from, and on any torch device.
    """
    found = hashlib.sha256()
    settings = {
        "modules": [[type(module).__name__, _plain(module)] for module in encoder],
        "max_tokens": encoder.max_seq_length,
        "prompts": encoder.prompts,
        "default_prompt": encoder.default_prompt_name,
    }
    found.update(json.dumps(settings, sort_keys=True, default=str).encode())
    backend = getattr(encoder.tokenizer, "backend_tokenizer", None)
    if backend is not None:
        found.update(_without_lengths(backend.to_str()).encode())
    for name, tensor in sorted(encoder.state_dict().items()):
        array = tensor.detach().cpu().contiguous()
        found.update(f"{name} {array.dtype} {tuple(array.shape)}".encode())
        found.update(memoryview(array.flatten().view(torch.uint8).numpy()))
    return found.hexdigest()[:32]


def _plain(module: object) -> dict[str, object]:
    """A module's own settings; the transformer's are in its weights and its tokenizer."""
    keys = getattr(module, "config_keys", ())
    return {
        key: getattr(module, key, None) for key in keys if key in ("pooling_mode", "include_prompt", "do_lower_case")
    }


def _without_lengths(tokenizer: str) -> str:
    """A tokenizer's JSON without the padding and truncation of its last call."""
    table = json.loads(tokenizer)
    table.pop("padding", None)
    table.pop("truncation", None)
    return json.dumps(table, sort_keys=True)
