"""Which head a state dict is of: a tensor of plan, ansatz and options that travels with the weights."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import torch
from torch import Tensor

from hybrid_qproj.circuits import Ansatz
from hybrid_qproj.errors import HybridQprojError
from hybrid_qproj.plan import Plan

BYTES = 256
"""Of the tensor: a SHA-256 digest, then words, filled up with zeros."""
DIGEST = 32


class WiringError(HybridQprojError, RuntimeError):
    """Weights that were made for a head of another plan, circuit or options."""


def identity(ansatz: Ansatz, plan: Plan, normalize: bool, normalize_output: bool) -> Tensor:
    """The tensor of a head.

    Args:
        ansatz: of its blocks.
        plan: its plan.
        normalize: whether embeddings are divided by their norm.
        normalize_output: whether the output is scaled.

    Returns:
        (256,) uint8: the digest of these, then the words of `describe`.
    """
    wiring = {key: value for key, value in plan.config().items() if key != "name"}
    block = [ansatz.name, ansatz.parameter_names, ansatz.kept, ansatz.wires]
    text = json.dumps([wiring, block, bool(normalize), bool(normalize_output)], sort_keys=True)
    words = f"{ansatz.name}, normalize={bool(normalize)}, normalize_output={bool(normalize_output)}, {plan!r}"
    content = hashlib.sha256(text.encode()).digest() + words.encode()
    return torch.frombuffer(bytearray(content[:BYTES].ljust(BYTES, b"\0")), dtype=torch.uint8).clone()


def same(a: Any, b: Any) -> bool:
    """Whether two such tensors, of any dtype and device, are of the same wiring."""
    if a.is_meta or b.is_meta:
        return True  # no numbers are loaded
    return a.shape == b.shape and bool(torch.equal(_bytes(a)[:DIGEST], _bytes(b)[:DIGEST]))


def describe(wired_as: Any) -> str:
    """The words in such a tensor; of a damaged one, that it is."""
    if wired_as.shape != (BYTES,):
        return f"(unknown: a tensor of shape {tuple(wired_as.shape)})"
    words = bytes(_bytes(wired_as)[DIGEST:].tolist()).rstrip(b"\0").decode(errors="replace")
    # The plan's words may have been cut.
    return f"({''.join(letter for letter in words if letter.isprintable())})"


def _bytes(tensor: Tensor) -> Tensor:
    # A caller may have cast a whole state dict.
    return tensor.detach().cpu().to(torch.uint8)
