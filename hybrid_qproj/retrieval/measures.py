"""Retrieval measures by trec_eval, per query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from hybrid_qproj.extras import require

Qrels = Mapping[str, Mapping[str, int]]
Run = Mapping[str, Mapping[str, float]]


def similarity_run(scores: Tensor, ids: Sequence[str]) -> dict[str, dict[str, float]]:
    """A run in which every text is a query for all others.

    Args:
        scores: similarity of all pairs, (n, n), higher is closer.
        ids: names of the n texts.

    Returns:
        for each text the scores of the others.

    Raises:
        ValueError: the sizes differ, or a score is not finite.
    """
    table = scores.detach().cpu().double().numpy()
    if table.shape != (len(ids), len(ids)):
        raise ValueError(f"got scores of shape {table.shape} for {len(ids)} texts; expected a square")
    if not np.isfinite(table).all():
        raise ValueError(f"{(~np.isfinite(table)).sum()} scores are not finite; a ranking needs numbers")
    return {q: {d: float(table[i, j]) for j, d in enumerate(ids) if j != i} for i, q in enumerate(ids)}


def per_query(qrels: Qrels, run: Run, measure: str = "ndcg_cut_10") -> dict[str, float]:
    """A measure for each query.

    Args:
        qrels: query id -> document id -> relevance grade.
        run: query id -> document id -> score.
        measure: trec_eval's name; the default is NDCG@10 with linear gain.

    Returns:
        query id -> value in [0, 1].

    Raises:
        ValueError: no query is in both.
        MissingExtraError: pytrec_eval is not installed.
    """
    pytrec_eval = require("pytrec_eval", "eval", "evaluation")
    results = pytrec_eval.RelevanceEvaluator(dict(qrels), {measure}).evaluate(dict(run))
    if not results:
        raise ValueError(
            f"no query is in both: {len(qrels)} queries are judged, {len(run)} are in the run; check the ids"
        )
    return {query: values[measure] for query, values in results.items()}


def mean_ndcg(qrels: Qrels, run: Run) -> float:
    """Mean NDCG@10 over queries."""
    return float(np.mean(list(per_query(qrels, run).values())))
