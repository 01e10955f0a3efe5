"""Which head a state dict is of: a tensor of plan, ansatz and options that travels with the weights."""

from __future__ import annotations

import hashlib
import json
import warnings
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hybrid_qproj.circuits import Ansatz
from hybrid_qproj.errors import HybridQprojError
from hybrid_qproj.plan import Plan

BYTES = 256
"""Of the tensor: a SHA-256 digest, then words, filled up with zeros."""
DIGEST = 32
KEY = "wired_as"
"""Under which every saved state dict has it: a name in files, which stays."""


class HeadMismatchError(HybridQprojError, RuntimeError):
    """Weights that were made for a head of another plan, circuit or options."""


class IdentifiedModule(nn.Module):
    """A module whose state dicts say which head they are of, and that takes no other's: weights mean nothing there.

    Attributes:
        wired_as: its identity, a buffer under `KEY`, see `identity`; whoever builds the module registers it.
    """

    wired_as: Tensor

    @abstractmethod
    def own_identity(self) -> Tensor:
        """The identity of this module as it stands."""

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        own = self.own_identity()
        if not self.wired_as.is_meta and not same(self.wired_as, own):
            # A mean of models takes that of their buffers too, and these are no numbers.
            destination[prefix + KEY] = own.to(self.wired_as.device)

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *args: Any) -> None:
        super()._load_from_state_dict(self._check_identity(state_dict, prefix), prefix, *args)

    def _check_identity(self, state_dict: Mapping[str, Any], prefix: str) -> Mapping[str, Any]:
        """A state dict of this module, with its identity where it says nothing of it; another module's is refused."""
        key = prefix + KEY
        own = self.own_identity()
        if key in state_dict:
            if not same(state_dict[key], own):
                raise HeadMismatchError(
                    f"the state dict is of another head: {describe(state_dict[key])}; this one is {describe(own)}. Its "
                    "weights mean nothing here; build the head with the plan, circuit and options of the other"
                )
            # A caller may have cast a whole state dict, and this is no number.
            return {**state_dict, key: own.to(state_dict[key].device)}
        if any(name.startswith(f"{prefix}stages.") for name in state_dict):
            # Written before state dicts said so; a part of a model without the head says nothing either, rightly.
            warnings.warn(
                f"the state dict does not say which head it is of; it is taken to be of {describe(own)}. Save it "
                "again, or use head.save and load_head",
                stacklevel=2,
            )
            return {**state_dict, key: own}
        return state_dict


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
    block = [ansatz.name, ansatz.parameter_names, ansatz.kept, ansatz.wires]
    text = json.dumps([plan.structure(), block, bool(normalize), bool(normalize_output)], sort_keys=True)
    words = f"{ansatz.name}, normalize={bool(normalize)}, normalize_output={bool(normalize_output)}, {plan!r}"
    content = hashlib.sha256(text.encode()).digest() + words.encode()
    return torch.frombuffer(bytearray(content[:BYTES].ljust(BYTES, b"\0")), dtype=torch.uint8).clone()


def same(a: Any, b: Any) -> bool:
    """Whether two such tensors, of any dtype and device, are of the same plan, ansatz and options."""
    if a.is_meta or b.is_meta:
        return True  # no numbers are loaded
    return a.shape == b.shape and bool(torch.equal(_bytes(a)[:DIGEST], _bytes(b)[:DIGEST]))


def describe(tensor: Any) -> str:
    """The words in such a tensor; of a damaged one, that it is."""
    if tensor.shape != (BYTES,):
        return f"(unknown: a tensor of shape {tuple(tensor.shape)})"
    words = bytes(_bytes(tensor)[DIGEST:].tolist()).rstrip(b"\0").decode(errors="replace")
    # The plan's words may have been cut.
    return f"({''.join(letter for letter in words if letter.isprintable())})"


def _bytes(tensor: Tensor) -> Tensor:
    # A caller may have cast a whole state dict.
    return tensor.detach().cpu().to(torch.uint8)
