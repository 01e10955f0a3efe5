"""Queries and documents: the two sides of a search, which an encoder may embed differently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Side = Literal["query", "document"]

NAMES: dict[Side, tuple[str, ...]] = {"query": ("query",), "document": ("document", "passage", "corpus")}
"""Names under which sentence-transformers looks for a side's prompt."""

METHODS: dict[Side | None, str] = {None: "encode", "query": "encode_query", "document": "encode_document"}


def side_prompt(encoder: SentenceTransformer, side: Side | None) -> str:
    """The prompt that an encoder puts before texts of a side.

    Args:
        encoder: the encoder.
        side: None for ``encode``, which knows no sides.

    Returns:
        the prompt, "" for none: the one of ``encode_query`` or ``encode_document``.
    """
    names = NAMES[side] if side is not None else ()
    found = next((name for name in names if name in encoder.prompts), encoder.default_prompt_name)
    return encoder.prompts.get(found) or "" if found is not None else ""


def knows_sides(encoder: SentenceTransformer) -> bool:
    """Whether an encoder takes another way for queries than for documents, prompts apart."""
    from sentence_transformers.base.modules import Router  # noqa: PLC0415 - an extra

    return "task" in encoder.get_model_kwargs() or any(isinstance(module, Router) for module in encoder.modules())


def sides_differ(encoder: SentenceTransformer) -> bool:
    """Whether an encoder embeds a text in another way as a query, as a document, or as neither."""
    return knows_sides(encoder) or len({side_prompt(encoder, side) for side in METHODS}) > 1


def encode_side(encoder: Any, texts: Sequence[str], side: Side | None, **arguments: Any) -> Any:
    """Encode texts as what they are.

    Args:
        encoder: the encoder, or what has these methods of one.
        texts: n texts.
        side: None for neither.
        **arguments: of ``encode``.

    Returns:
        what ``encode_query``, ``encode_document`` or ``encode`` returns.
    """
    encode: Any = getattr(encoder, METHODS[side])
    return encode(list(texts), show_progress_bar=False, **arguments)
