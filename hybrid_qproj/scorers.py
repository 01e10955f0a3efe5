"""Who compares a model's embeddings, and whether by the model's own similarity.

Most evaluators and losses of sentence-transformers do not ask the model: they take cosines, unless told otherwise.
Cosines of angles say nothing, and nothing in the numbers shows it. The library gives a model no way to learn who will
score it, so a model with such a head looks at who calls it.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from sentence_transformers.base.evaluation import BaseEvaluator
from sentence_transformers.sentence_transformer import evaluation
from torch import nn

from hybrid_qproj.errors import HybridQprojError

LIBRARY = "sentence_transformers."
UTIL = "sentence_transformers.util."
LOSSES = "sentence_transformers.sentence_transformer.losses"
OWN_COSINE = (
    evaluation.EmbeddingSimilarityEvaluator,
    evaluation.TripletEvaluator,
    evaluation.BinaryClassificationEvaluator,
    evaluation.ParaphraseMiningEvaluator,
    evaluation.TranslationEvaluator,
)
"""Evaluators that know four similarities of their own and cannot be given another."""
OURS = {
    "EmbeddingSimilarityEvaluator": "PairEvaluator",
    "TripletEvaluator": "TripletEvaluator",
    "BinaryClassificationEvaluator": "PairEvaluator (labels as scores)",
}
"""What `hybrid_qproj.training.pairs` has in their place."""
FIXED_LOSSES = ("CosineSimilarityLoss", "MegaBatchMarginLoss", "ContrastiveTensionLoss")
"""Losses that take cosines or inner products and cannot be given another similarity."""


class ScoringError(HybridQprojError, ValueError):
    """Embeddings would be compared otherwise than by the head's similarity."""


def check_caller(similarity: str) -> None:
    """Refuse what of sentence-transformers would compare embeddings by another similarity.

    Args:
        similarity: the head's, for the message.

    Raises:
        ScoringError: the nearest evaluator, loss or function among the callers takes another; the message says what to
            do.
    """
    frame = sys._getframe(1)
    function = None
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, BaseEvaluator):
            _check_evaluator(caller, similarity)
            return
        if isinstance(caller, nn.Module) and any(base.__module__.startswith(LOSSES) for base in type(caller).__mro__):
            _check_loss(caller, similarity)
            return
        score = frame.f_locals.get("score_function")
        if frame.f_globals.get("__name__", "").startswith(UTIL) and score is not None and _is_librarys(score):
            function = f"{frame.f_code.co_name} would compare by {_name(score)}"
        frame = frame.f_back  # type: ignore[assignment]  # None at the end
    if function is not None:
        raise ScoringError(
            f"{function}; the head's similarity is {similarity}: give it score_function=model.similarity"
        )


def _check_evaluator(evaluator: BaseEvaluator, similarity: str) -> None:
    name = type(evaluator).__name__
    if isinstance(evaluator, OWN_COSINE):
        instead = next((ours for theirs, ours in OURS.items() if theirs == name), None)
        advice = (
            f"use hybrid_qproj.training.pairs.{instead}" if instead else "score with model.similarity and measure that"
        )
        raise ScoringError(f"{name} would compare by a similarity of its own; the head's is {similarity}: {advice}")
    if isinstance(evaluator, evaluation.RerankingEvaluator) and _is_librarys(evaluator.similarity_fct):
        raise ScoringError(
            f"{name} would compare by {_name(evaluator.similarity_fct)}; the head's similarity is {similarity}: give "
            "it similarity_fct=model.similarity"
        )
    if isinstance(evaluator, evaluation.InformationRetrievalEvaluator):
        for function in (evaluator.score_functions or {}).values():
            if _is_librarys(function):
                raise ScoringError(
                    f"{name} would compare by {_name(function)}; the head's similarity is {similarity}: leave "
                    "score_functions out, or give model.similarity"
                )


def _check_loss(loss: nn.Module, similarity: str) -> None:
    name = type(loss).__name__
    if name in FIXED_LOSSES:
        raise ScoringError(
            f"{name} takes cosines or inner products; the head's similarity is {similarity}: use CoSENTLoss(model, "
            "similarity_fct=model.similarity_pairwise), or MultipleNegativesRankingLoss(model, "
            "similarity_fct=model.similarity)"
        )
    for attribute in ("similarity_fct", "distance_metric"):
        function = getattr(loss, attribute, None)
        if function is not None and _is_librarys(function):
            raise ScoringError(
                f"{name} would compare by {_name(function)}; the head's similarity is {similarity}: give it "
                f"{attribute}=model.similarity for all pairs, model.similarity_pairwise for paired rows (a distance is "
                "the negative of it), or take another loss"
            )


def _is_librarys(function: Any) -> bool:
    while isinstance(function, partial):
        function = function.func
    if function == "cosine" or isinstance(function, nn.CosineSimilarity):
        return True
    return str(getattr(function, "__module__", "")).startswith(LIBRARY)


def _name(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)
