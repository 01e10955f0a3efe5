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
from sentence_transformers.sentence_transformer import evaluation, losses
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
"""What `hybrid_qproj.training.evaluators` has in their place."""
FIXED_LOSSES = (
    losses.CosineSimilarityLoss,
    losses.MegaBatchMarginLoss,
    losses.ContrastiveTensionLoss,
    losses.GISTEmbedLoss,
    losses.CachedGISTEmbedLoss,
    losses.AnglELoss,
)
"""Losses that take cosines or inner products and cannot be given another similarity."""
GENERAL = (
    "CoSENTLoss(model, similarity_fct=model.similarity_pairwise) for labelled pairs, else "
    "MultipleNegativesRankingLoss(model, similarity_fct=model.similarity)"
)
"""Losses in their place."""
PAIRED_LOSSES = (losses.CoSENTLoss, losses.MarginMSELoss, losses.DistillKLDivLoss)
"""Losses whose similarity is of paired rows; that of others is of all pairs."""
PAIRED_DISTANCES = (losses.TripletLoss, losses.ContrastiveLoss, losses.OnlineContrastiveLoss)
"""Losses with a distance of paired rows; that of others is of all pairs of one batch."""
TORCHS = ("cosine_similarity", "pairwise_distance", "cdist")
"""PyTorch's own functions that compare vectors."""


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
    loss = None
    while frame is not None:
        caller = frame.f_locals.get("self")
        place = str(frame.f_globals.get("__name__", ""))
        if isinstance(caller, losses.MatryoshkaLoss):
            raise ScoringError(
                f"{type(caller).__name__} compares the first outputs after making their norm 1, which {similarity} "
                "cannot compare: train a head of each size, or add up losses over the first outputs yourself"
            )
        # One's own evaluator that is derived from the library's compares as it likes.
        if isinstance(caller, BaseEvaluator) and place.startswith(LIBRARY) and frame.f_code.co_name != "embed_inputs":
            _check_evaluator(caller, similarity)
            return
        if (
            loss is None
            and isinstance(caller, nn.Module)
            and any(base.__module__.startswith(LOSSES) for base in type(caller).__mro__)
        ):
            loss = caller
            _check_loss(caller, similarity)
        score = frame.f_locals.get("score_function")
        if place.startswith(UTIL) and score is not None and _is_librarys(score):
            function = (
                f"{frame.f_code.co_name} would compare by {_name(score)}; the head's similarity is {similarity}: give "
                "it score_function=model.similarity"
            )
        if place.startswith(UTIL) and frame.f_code.co_name == "mine_hard_negatives":
            function = (
                f"mine_hard_negatives makes the norm of embeddings 1, which {similarity} cannot compare: take "
                "negatives from util.semantic_search(queries, documents, score_function=model.similarity)"
            )
        frame = frame.f_back  # type: ignore[assignment]  # None at the end
    if function is not None and loss is None:
        raise ScoringError(function)


def _check_evaluator(evaluator: BaseEvaluator, similarity: str) -> None:
    name = type(evaluator).__name__
    if isinstance(evaluator, OWN_COSINE):
        instead = next((ours for theirs, ours in OURS.items() if theirs == name), None)
        advice = "score with model.similarity and measure that"
        if instead:
            advice = f"use hybrid_qproj.training.evaluators.{instead}"
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
    if isinstance(loss, FIXED_LOSSES):
        raise ScoringError(
            f"{name} compares by cosine or the like and by nothing else; the head's similarity is {similarity}: use "
            f"{GENERAL}"
        )
    for attribute in ("similarity_fct", "distance_metric"):
        function = getattr(loss, attribute, None)
        if function is not None and _is_librarys(function):
            raise ScoringError(
                f"{name} would compare by {_name(function)}; the head's similarity is {similarity}: give it "
                f"{_in_place(loss, attribute)}"
            )


def _in_place(loss: nn.Module, attribute: str) -> str:
    """What to give a loss in place of the library's function."""
    if isinstance(loss, losses.EmbedDistillLoss):
        return "distance_metric='l2' or 'mse'"
    if attribute == "similarity_fct":
        return f"similarity_fct=model.{'similarity_pairwise' if isinstance(loss, PAIRED_LOSSES) else 'similarity'}"
    if isinstance(loss, PAIRED_DISTANCES):
        return "distance_metric=lambda a, b: -model.similarity_pairwise(a, b)"
    return "distance_metric=lambda a: -model.similarity(a, a)"


def _is_librarys(function: Any) -> bool:
    while isinstance(function, partial):
        function = function.func
    if function == "cosine" or isinstance(function, nn.CosineSimilarity | nn.PairwiseDistance):
        return True
    module = str(getattr(function, "__module__", ""))
    return module.startswith(LIBRARY) or (module.startswith("torch") and getattr(function, "__name__", "") in TORCHS)


def _name(function: Any) -> str:
    return str(function if isinstance(function, str) else getattr(function, "__name__", type(function).__name__))
