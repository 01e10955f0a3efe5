"""How many tokens an encoder can take: the size of its table of positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def input_modules(encoder: SentenceTransformer) -> list[Any]:
    """The modules that texts enter: the first one, or the first one of each route."""
    from sentence_transformers.base.modules import Router  # noqa: PLC0415 - an extra

    first: Any = encoder[0]
    if not isinstance(first, Router):
        return [first]
    routes: list[Any] = list(first.sub_modules.values())
    return [route[0] for route in routes]


def table_limit(module: nn.Module) -> int | None:
    """Tokens for which a module has learnt positions.

    RoBERTa and its kin leave the first rows of the table out, up to that of the padding: 514 rows are 512 positions.

    Args:
        module: a module around a Hugging Face model, or any other.

    Returns:
        the number, or None where positions are not looked up in a table.
    """
    limits = []
    for part in module.modules():
        table = getattr(part, "position_embeddings", None)
        if isinstance(table, nn.Embedding):
            padding = getattr(part, "padding_idx", None)
            limits.append(table.num_embeddings - (padding + 1 if isinstance(padding, int) else 0))
    return min(limits, default=None)


def token_limit(module: nn.Module) -> int | None:
    """Tokens that a module can take, or was made for.

    Args:
        module: a module around a Hugging Face model, or any other.

    Returns:
        the number, or None where neither its positions nor its config say one.
    """
    config = getattr(module, "config", None)
    if config is not None and hasattr(config, "get_text_config"):
        config = config.get_text_config()
    declared = getattr(config, "max_position_embeddings", None)
    known = [table_limit(module), declared if isinstance(declared, int) and declared > 0 else None]
    return min((limit for limit in known if limit is not None), default=None)


def cut_at_positions(encoder: SentenceTransformer) -> None:
    """Cut texts where a table of positions ends; beyond it an encoder can only fail.

    Args:
        encoder: changed only where it would take more tokens than it has positions for.
    """
    for module in input_modules(encoder):
        limit, now = table_limit(module), getattr(module, "max_seq_length", None)
        if limit is not None and (now is None or now > limit):
            module.max_seq_length = limit
