"""What a saved encoder with a head says of itself."""

from __future__ import annotations

import copy
from typing import Any

from huggingface_hub import ModelCard
from sentence_transformers.sentence_transformer.model_card import SentenceTransformerModelCardData

TITLES = {
    "log_fidelity": "Log-fidelity of product states",
    "log_bloch_fidelity": "Log-fidelity of products of mixed states",
}
"""Similarities that the library has no name for, in words."""
KEPT = ("language", "license", "task_name", "tags", "generate_widget_examples", "base_model", "base_model_revision")
"""What an encoder's card says that is true of it with a head too."""
TAG = "hybrid-qproj"
"""By which models with a head are found on a hub."""


class SimilarityName(str):
    """Name of a similarity that sentence-transformers has no name for.

    It counts as false: tools that ask "has the model one of the named similarities?" (MTEB does) then call
    ``model.similarity``, as they should, instead of looking the name up.
    """

    __slots__ = ()

    def __bool__(self) -> bool:
        return False


class EncoderCard(SentenceTransformerModelCardData):
    """Model card data of an encoder with a head: names its similarity, and loads it by this package.

    Args:
        *args: as for SentenceTransformerModelCardData.
        **kwargs: as for SentenceTransformerModelCardData.

    Attributes:
        made_by: a sentence on how the head's weights came to be; None where nobody said. No part of the metadata.
    """

    made_by: str | None = None

    def get_model_specific_metadata(self) -> dict[str, Any]:
        """What the template shows beside the common things."""
        metadata: dict[str, Any] = super().get_model_specific_metadata()
        assert self.model is not None
        name = str(self.model.similarity_fn_name)
        return {**metadata, "similarity_fn_name": TITLES.get(name, metadata["similarity_fn_name"])}

    def generate_usage_snippet(self) -> str:
        """Python that loads and uses the model."""
        snippet: str = super().generate_usage_snippet()
        identity = self.model_id or "sentence_transformers_model_id"
        return snippet.replace("from sentence_transformers import SentenceTransformer", "import hybrid_qproj").replace(
            f'SentenceTransformer("{identity}")', f'hybrid_qproj.load("{identity}")'
        )


def derived_card(card: Any, text: str | None = None) -> EncoderCard:
    """Card data for an encoder with a head, from the encoder's.

    Args:
        card: the encoder's.
        text: the encoder's README, whose licence is taken where the data name none.

    Returns:
        new card data: base model, languages, licence and the like stay; its name and results are not the new model's.
    """
    result = EncoderCard(local_files_only=card.local_files_only)
    for name in KEPT:
        setattr(result, name, copy.copy(getattr(card, name)))
    result.license = result.license or _license(text)
    result.tags = [*(tag for tag in result.tags or () if tag != TAG), TAG]
    return result


def _license(text: str | None) -> str | None:
    """The licence that a README names in its metadata."""
    if text is None or not text.startswith("---"):
        return None
    try:
        found = ModelCard(text, ignore_metadata_errors=True).data.get("license")
    except Exception:  # a stranger's file, whatever YAML it holds
        return None
    return found if isinstance(found, str) else None
