"""Retrieval measures during training, with graded judgements and the head's own similarity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sentence_transformers.base.evaluation import BaseEvaluator

from hybrid_qproj.retrieval.measures import MEASURES, evaluate_run
from hybrid_qproj.retrieval.protocols import TestSet, rank


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
        self.primary_metric: str = _key(test.name, self.measures[0])

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
        return {_key(self.test.name, name): float(np.mean(list(v.values()))) for name, v in values.items()}


def _key(test: str, measure: str) -> str:
    return f"{test}_{measure}".replace(" ", "_").lower()
