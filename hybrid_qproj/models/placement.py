"""Where a head may stand in a model that sentence-transformers built: where its similarity becomes the model's."""

from __future__ import annotations

from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize, Router
from sentence_transformers.base.modules.module import Module
from sentence_transformers.sentence_transformer.model_card import SentenceTransformerModelCardData

from hybrid_qproj.errors import HybridQprojError
from hybrid_qproj.models.card import EncoderCard
from hybrid_qproj.models.encoder import Encoder


class HeadPlaceError(HybridQprojError, ValueError):
    """A head that stands where its outputs would be compared otherwise than by its similarity."""


def compare_by_head(model: SentenceTransformer, module: Module, similarity: str) -> None:
    """Make a model that was built by sentence-transformers compare by its head's similarity.

    Args:
        model: becomes an `Encoder` if it is a plain SentenceTransformer.
        module: the one around the head.
        similarity: the head's.

    Raises:
        HeadPlaceError: the model would compare the head's outputs otherwise.
    """
    modules = list(model)
    rest = modules[modules.index(module) + 1 :] if module in modules else modules[-1:]
    if any(isinstance(later, Normalize) for later in rest):
        raise HeadPlaceError(
            f"a Normalize layer follows a head that is compared by {similarity}; leave it out: outputs of unit norm "
            "are no longer what the similarity compares"
        )
    if rest and isinstance(rest[-1], Router):
        raise HeadPlaceError(
            f"a head that is compared by {similarity} stands inside a Router; put one head behind the Router, for "
            "queries and documents alike"
        )
    if rest:
        return
    if type(model) is SentenceTransformer:
        # Not functions set on the model: this way it pickles, saves and refuses as an Encoder does.
        model.__class__ = Encoder
    if isinstance(model, Encoder):
        if type(model.model_card_data) is SentenceTransformerModelCardData:
            model.model_card_data.__class__ = EncoderCard
    elif type(model).similarity is SentenceTransformer.similarity:
        raise HeadPlaceError(
            f"a {type(model).__name__} compares by {model.similarity_fn_name}, its head by {similarity}: derive the "
            "class from hybrid_qproj.sbert.Encoder in place of SentenceTransformer"
        )
