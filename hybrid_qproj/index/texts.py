"""Digests of documents' texts: by them a store knows which text it holds the angles of."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

DIGEST_BYTES = 16
"""Of a text's digest."""


def text_digest(text: str) -> bytes:
    """The digest of a text, 16 bytes."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()


def text_digests(texts: Sequence[str]) -> Tensor:
    """Digests of texts, (len(texts), 16), uint8."""
    return torch.frombuffer(bytearray(b"".join(map(text_digest, texts))), dtype=torch.uint8).view(-1, DIGEST_BYTES)
