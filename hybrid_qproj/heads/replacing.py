"""Modules whose weights are replaced as one step, for a thread that computes with them meanwhile."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor, nn

from hybrid_qproj.blocks.threads import weights_locked


class ReplacedAtOnce(nn.Module):
    """A module that loads its state and changes its dtype while no other thread reads its weights.

    Readers take copies of all that they need inside `weights_locked`.
    """

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """As any module's; for a thread that calls the module meanwhile it is one step."""
        with weights_locked():
            return super().load_state_dict(*args, **kwargs)

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        before = len(error_msgs)
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
        if len(error_msgs) > before or local_metadata.get("assign_to_params_buffers", False):
            return
        # A model around this one loads module after module: they find here already what they will bring.
        with weights_locked(), torch.no_grad():
            for name, parameter in self.named_parameters():
                value = state_dict.get(prefix + name)
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    parameter.copy_(value)

    def _apply(self, *args: Any, **kwargs: Any) -> Self:
        with weights_locked():
            return super()._apply(*args, **kwargs)
