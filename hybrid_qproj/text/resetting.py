"""Put an encoder's last layers, or all of it, back to random weights: for training from scratch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn

from hybrid_qproj.text.freezing import EncoderError, encoder_layers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentence_transformers import SentenceTransformer

DONE = "_is_hf_initialized"
"""Mark of transformers on weights that were loaded; what bears it is not drawn again."""


def reset_layers(encoder: SentenceTransformer | nn.Module, layers: int | Literal["all"], seed: int = 0) -> None:
    """Draw weights anew, as the architecture draws those of a new model.

    Args:
        encoder: changed in place. A Hugging Face model, or a model with one inside; a head beside it stays as it is.
        layers: how many of the last transformer layers, 0 to all of them; ``"all"`` for everything of the transformer,
            embeddings too.
        seed: of the weights; torch's global generator stays as it is.

    Raises:
        EncoderError: there is no such transformer, or it has not that many layers.
    """
    stack = encoder_layers(encoder)
    # The innermost that holds the stack: of a model with another inside, the latter.
    backbone: Any = [
        module
        for module in encoder.modules()
        if hasattr(module, "_init_weights") and any(part is stack for part in module.modules())
    ][-1:]
    if not backbone:
        raise EncoderError(
            f"no part of a {type(encoder).__name__} can draw its weights anew; expected a Hugging Face model"
        )
    chosen: Sequence[nn.Module]
    if layers == "all":
        chosen = backbone
    elif isinstance(layers, bool) or not isinstance(layers, int) or not 0 <= layers <= len(stack):
        raise EncoderError(f"layers={layers!r}: expected 0 to {len(stack)}, or 'all'")
    else:
        chosen = list(stack)[len(stack) - layers :]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for part in chosen:
            for tensor in (*part.parameters(), *part.modules()):
                if hasattr(tensor, DONE):
                    delattr(tensor, DONE)
            for module in part.modules():
                backbone[0]._init_weights(module)
