"""Train some layers of an encoder and nothing else of it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from hybrid_qproj.errors import HybridQprojError


class EncoderError(HybridQprojError, ValueError):
    """An encoder that cannot be loaded, or not used as asked."""


def encoder_stacks(model: nn.Module) -> list[nn.ModuleList]:
    """The stacks of transformer layers of Hugging Face encoders, lowest layer first.

    Found by their length, ``config.num_hidden_layers``: BERT, MiniLM, RoBERTa, MPNet, DistilBERT and T5 keep them under
    different names.

    Args:
        model: a Hugging Face model, or anything that contains some (a SentenceTransformer).

    Returns:
        lists of layers, none inside another.
    """
    found: list[nn.ModuleList] = []
    for module in model.modules():
        layers = getattr(getattr(module, "config", None), "num_hidden_layers", None)
        if layers is not None:
            stacks = [m for m in module.modules() if isinstance(m, nn.ModuleList) and len(m) == layers]
            # Outer modules come first. A layer may be a list too, perhaps as long as the stack it is in.
            found.extend(stack for stack in stacks if not any(stack is known for known in found))
    return [stack for stack in found if not any(stack is not outer and _inside(stack, outer) for outer in found)]


def _inside(module: nn.Module, outer: nn.Module) -> bool:
    return any(part is module for part in outer.modules())


def encoder_layers(model: nn.Module) -> nn.ModuleList:
    """The stack of transformer layers of a Hugging Face encoder, lowest first.

    Args:
        model: a Hugging Face model, or anything that contains exactly one (a SentenceTransformer).

    Returns:
        the list of layers; see `encoder_stacks`.

    Raises:
        EncoderError: there is no such list, or more than one.
    """
    found = encoder_stacks(model)
    if len(found) != 1:
        raise EncoderError(
            f"found {len(found)} stacks of transformer layers in a {type(model).__name__}; expected exactly one, "
            "a ModuleList of config.num_hidden_layers layers"
        )
    return found[0]


def freeze_encoder(model: nn.Module, trainable_layers: int | Sequence[int] = 0) -> None:
    """Freeze an encoder but for its last layers; a head beside the encoder stays as it is.

    Args:
        model: a Hugging Face model, or a model with one inside, such as a SentenceTransformer.
        trainable_layers: how many of the last transformer layers train, 0 to all; or the numbers of those that do, the
            lowest layer being 0. Embeddings train never; what follows the last layer (BERT's pooler) only in a model
            that uses it, so it is frozen too.

    Raises:
        EncoderError: a number is out of range, or stands there twice, or the layers are not found.
    """
    layers = encoder_layers(model)
    if isinstance(trainable_layers, int):
        if not 0 <= trainable_layers <= len(layers):
            raise EncoderError(f"trainable_layers={trainable_layers}: expected 0 to {len(layers)}")
        trainable_layers = range(len(layers) - trainable_layers, len(layers))
    elif len(set(trainable_layers)) < len(trainable_layers) or not set(trainable_layers) <= set(range(len(layers))):
        raise EncoderError(
            f"trainable_layers={list(trainable_layers)}: expected numbers of layers, 0 to {len(layers) - 1}, each once"
        )
    backbone = next(m for m in model.modules() if hasattr(m, "config") and any(x is layers for x in m.modules()))
    backbone.requires_grad_(False)
    for number in trainable_layers:
        layers[number].requires_grad_(True)
