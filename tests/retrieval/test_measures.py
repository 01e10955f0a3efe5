"""NDCG by trec_eval on runs we can check by hand."""

from __future__ import annotations

import math

import pytest
import torch

pytest.importorskip("pytrec_eval", reason="needs the extra 'eval'")

from hybrid_qproj.retrieval.measures import mean_ndcg, per_query, similarity_run

QRELS = {"q": {"a": 3, "b": 1, "c": 0}}


def test_ndcg_by_hand():
    """Linear gain, logarithmic discount: the ranking c, a, b of grades 0, 3, 1."""
    run = {"q": {"c": 3.0, "a": 2.0, "b": 1.0}}
    dcg = 3 / math.log2(3) + 1 / math.log2(4)
    ideal = 3 / math.log2(2) + 1 / math.log2(3)
    assert mean_ndcg(QRELS, run) == pytest.approx(dcg / ideal, abs=1e-9)


def test_perfect_run():
    """The ideal ranking has NDCG 1, whatever the scores' scale."""
    assert per_query(QRELS, {"q": {"a": -1.0, "b": -2.0, "c": -1e6}}) == {"q": 1.0}


def test_no_common_query():
    """Ids that never match are an error, not a mean of nothing."""
    with pytest.raises(ValueError, match="no query is in both: 1 queries are judged, 1 are in the run"):
        per_query(QRELS, {"other": {"a": 1.0}})


def test_similarity_run():
    """Each text ranks all others and not itself."""
    run = similarity_run(torch.tensor([[9.0, 1, 2], [3, 9, 4], [5, 6, 9]]), ["x", "y", "z"])
    assert run == {"x": {"y": 1, "z": 2}, "y": {"x": 3, "z": 4}, "z": {"x": 5, "y": 6}}


def test_similarity_run_checks():
    """Wrong sizes and scores that are no numbers."""
    with pytest.raises(ValueError, match="expected a square"):
        similarity_run(torch.zeros(2, 3), ["x", "y"])
    with pytest.raises(ValueError, match="1 scores are not finite"):
        similarity_run(torch.tensor([[0.0, math.nan], [0, 0]]), ["x", "y"])
