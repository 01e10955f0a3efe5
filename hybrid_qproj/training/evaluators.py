"""Evaluators of rankings, pairs and triplets by the model's own similarity.

In place of sentence-transformers' EmbeddingSimilarityEvaluator, BinaryClassificationEvaluator and TripletEvaluator,
which know four similarities and cannot be given a head's. Its InformationRetrievalEvaluator asks the model, and its
RerankingEvaluator can be given ``similarity_fct=model.similarity``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.stats import pearsonr, spearmanr
from sentence_transformers.base.evaluation import BaseEvaluator

from hybrid_qproj.errors import HybridQprojError
from hybrid_qproj.retrieval.measures import MEASURES, evaluate_run
from hybrid_qproj.retrieval.protocols import TestSet, rank
from hybrid_qproj.text.sides import encode_side


class EvaluationError(HybridQprojError, ValueError):
    """Texts and labels that cannot be evaluated."""


class PairEvaluator(BaseEvaluator):
    """Correlation of similarities of paired texts with scores that people gave.

    Args:
        first: n texts.
        second: n texts.
        scores: n numbers, higher for closer pairs; 1 and 0 for pairs that are alike or not.
        name: begins the measures' names.
        batch_size: texts encoded at once.

    Raises:
        EvaluationError: the lengths differ, or there are fewer than two pairs.
    """

    def __init__(
        self, first: Sequence[str], second: Sequence[str], scores: Sequence[float], name: str = "", batch_size: int = 64
    ) -> None:
        super().__init__()
        if not len(first) == len(second) == len(scores) or len(first) < 2:  # noqa: PLR2004 - a correlation of points
            raise EvaluationError(
                f"got {len(first)} and {len(second)} texts with {len(scores)} scores; expected as many, 2 or more"
            )
        self.first, self.second, self.scores = list(first), list(second), list(scores)
        self.name, self.batch_size = name, batch_size
        self.primary_metric: str = _key(name, "spearman")
        self.greater_is_better = True

    def __call__(
        self, model: Any, output_path: str | None = None, epoch: int = -1, steps: int = -1
    ) -> dict[str, float]:
        """Evaluate.

        Args:
            model: an `Encoder`, or any SentenceTransformer.
            output_path: ignored; measures go to the trainer's log.
            epoch: of the trainer.
            steps: of the trainer.

        Returns:
            "pearson" and "spearman".
        """
        pair = [_encode(model, texts, None, self.batch_size) for texts in (self.first, self.second)]
        similarities = model.similarity_pairwise(*pair).double().cpu().numpy()
        measures = {
            _key(self.name, "pearson"): float(pearsonr(self.scores, similarities)[0]),
            _key(self.name, "spearman"): float(spearmanr(self.scores, similarities)[0]),
        }
        self.store_metrics_in_model_card_data(model, measures, epoch, steps)
        return measures


class TripletEvaluator(BaseEvaluator):
    """Share of queries that are closer to their positive than to their negative.

    Args:
        queries: n texts.
        positives: n texts.
        negatives: n texts.
        name: begins the measure's name.
        batch_size: texts encoded at once.

    Raises:
        EvaluationError: the lengths differ, or there are none.
    """

    def __init__(
        self,
        queries: Sequence[str],
        positives: Sequence[str],
        negatives: Sequence[str],
        name: str = "",
        batch_size: int = 64,
    ) -> None:
        super().__init__()
        if not len(queries) == len(positives) == len(negatives) or not len(queries):
            raise EvaluationError(
                f"got {len(queries)} queries, {len(positives)} positives and {len(negatives)} negatives; expected the "
                "same number, at least 1"
            )
        self.queries, self.positives, self.negatives = list(queries), list(positives), list(negatives)
        self.name, self.batch_size = name, batch_size
        self.primary_metric: str = _key(name, "accuracy")
        self.greater_is_better = True

    def __call__(
        self, model: Any, output_path: str | None = None, epoch: int = -1, steps: int = -1
    ) -> dict[str, float]:
        """Evaluate.

        Args:
            model: an `Encoder`, or any SentenceTransformer.
            output_path: ignored; measures go to the trainer's log.
            epoch: of the trainer.
            steps: of the trainer.

        Returns:
            "accuracy"; a query that is as close to its negative counts as wrong.
        """
        queries = _encode(model, self.queries, "query", self.batch_size)
        positives, negatives = (
            model.similarity_pairwise(queries, _encode(model, texts, "document", self.batch_size))
            for texts in (self.positives, self.negatives)
        )
        measures = {_key(self.name, "accuracy"): (positives > negatives).double().mean().item()}
        self.store_metrics_in_model_card_data(model, measures, epoch, steps)
        return measures


class RetrievalEvaluator(BaseEvaluator):
    """Ranks a test set after each epoch.

    sentence-transformers' own evaluator knows binary relevance only.

    Args:
        test: the test set.
        measures: see `hybrid_qproj.retrieval.measures.evaluate_run`; the first one chooses the best epoch.
        batch_size: texts encoded at once.
    """

    def __init__(self, test: TestSet, measures: Sequence[str] = MEASURES, batch_size: int = 64) -> None:
        super().__init__()
        self.test = test
        self.measures = tuple(measures)
        self.batch_size = batch_size
        self.greater_is_better = True
        self.primary_metric: str = _measure_key(test.name, self.measures[0])

    def __call__(
        self, model: Any, output_path: str | None = None, epoch: int = -1, steps: int = -1
    ) -> dict[str, float]:
        """Evaluate.

        Args:
            model: an `Encoder`.
            output_path: ignored; measures go to the trainer's log.
            epoch: ignored.
            steps: ignored.

        Returns:
            "test_measure" -> mean over queries.
        """
        values = evaluate_run(
            self.test.qrels, rank(model, self.test, self.batch_size), self.measures, self.test.relevant
        )
        return {_measure_key(self.test.name, name): float(np.mean(list(v.values()))) for name, v in values.items()}


def _encode(model: Any, texts: list[str], side: Any, batch_size: int) -> torch.Tensor:
    encoded: torch.Tensor = encode_side(model, texts, side, batch_size=batch_size, convert_to_tensor=True)
    return encoded


def _key(name: str, measure: str) -> str:
    return f"{name}_{measure}" if name else measure


def _measure_key(test: str, measure: str) -> str:
    return _key(test, measure).replace(" ", "_").lower()
