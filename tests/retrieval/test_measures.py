"""NDCG by trec_eval on runs we can check by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

pytest.importorskip("pytrec_eval", reason="needs the extra 'eval'")

from hybrid_qproj.retrieval.measures import evaluate_run, mean_ndcg, similarity_run

QRELS = {"q": {"a": 3, "b": 1, "c": 0}}


def test_ndcg_by_hand():
    """Linear gain, logarithmic discount: the ranking c, a, b of grades 0, 3, 1."""
    run = {"q": {"c": 3.0, "a": 2.0, "b": 1.0}}
    dcg = 3 / math.log2(3) + 1 / math.log2(4)
    ideal = 3 / math.log2(2) + 1 / math.log2(3)
    assert mean_ndcg(QRELS, run) == pytest.approx(dcg / ideal, abs=1e-9)


def test_perfect_run():
    """The ideal ranking has NDCG 1, whatever the scores' scale."""
    assert mean_ndcg(QRELS, {"q": {"a": -1.0, "b": -2.0, "c": -1e6}}) == 1.0


def test_no_common_query():
    """Ids that never match are an error, not a mean of nothing."""
    with pytest.raises(ValueError, match="no query is in both: 1 queries are judged, 1 are in the run"):
        evaluate_run(QRELS, {"other": {"a": 1.0}})


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


LONG = {"q": {f"d{i:02}": float(100 - i) for i in range(30)}}


@pytest.mark.parametrize(
    ("measure", "relevant", "expected"),
    [
        ("MAP", 1, (1 / 1 + 2 / 4 + 3 / 13) / 3),
        ("MAP", 2, (1 / 4 + 2 / 13) / 2),
        ("MAP@10", 2, (1 / 4) / 2),
        ("MRR@10", 2, 1 / 4),
        ("MRR@3", 2, 0.0),
        ("MRR", 3, 1 / 13),
        ("MRR@10", 3, 0.0),
        ("R@10", 1, 2 / 3),
        ("P@5", 2, 1 / 5),
    ],
)
def test_binary_measures_by_hand(measure, relevant, expected):
    """Grades 1, 2, 3 at ranks 1, 4, 13; what counts as relevant is the caller's."""
    qrels = {"q": {"d00": 1, "d03": 2, "d12": 3}}
    assert evaluate_run(qrels, LONG, [measure], relevant)[measure]["q"] == pytest.approx(expected, abs=1e-9)


def test_ndcg_does_not_see_the_threshold():
    """Grade 1 keeps its gain where only grades from 2 on are relevant."""
    qrels = {"q": {"d00": 1, "d03": 2, "d12": 3}}
    one, two = (evaluate_run(qrels, LONG, ["NDCG@10"], relevant) for relevant in (1, 2))
    assert one == two


def test_unanswered_query_counts_as_zero():
    """A run cannot gain by leaving queries out."""
    qrels = {"q": {"d00": 1}, "missing": {"d00": 1}}
    assert evaluate_run(qrels, LONG, ["NDCG@10", "MRR@10"]) == {
        "NDCG@10": {"q": 1.0, "missing": 0.0},
        "MRR@10": {"q": 1.0, "missing": 0.0},
    }


def test_ties_at_the_cut():
    """Equal scores fall in the order trec_eval gives them: the later id first."""
    run = {"q": dict.fromkeys(["a", "b", "c"], 1.0)}
    assert evaluate_run({"q": {"c": 1}}, run, ["MRR@1"])["MRR@1"]["q"] == 1.0
    assert evaluate_run({"q": {"a": 1}}, run, ["MRR@1"])["MRR@1"]["q"] == 0.0


@pytest.mark.parametrize("measure", ["ndcg", "NDCG", "R@0", "R@", "MRR@x", "F@10"])
def test_unknown_measures(measure):
    """A name that means nothing is refused, with those that do."""
    with pytest.raises(ValueError, match="expected NDCG@k"):
        evaluate_run(QRELS, {"q": {"a": 1.0}}, [measure])


def test_what_is_no_run():
    """What a slip of the pen gives: each is told, none is an empty result or a traceback of somebody else's code."""
    qrels, run = {"q": {"a": 1}}, {"q": {"a": 0.5}}
    assert evaluate_run(qrels, run, (name for name in ("MAP", "MRR"))) == {"MAP": {"q": 1.0}, "MRR": {"q": 1.0}}
    assert evaluate_run(qrels, run, ["MAP"], np.int64(1)) == {"MAP": {"q": 1.0}}
    for arguments, message in (
        ((qrels, run, "MAP"), r"expected a list of names, such as \['MAP'\]"),
        ((qrels, run, ["MAP"], 2**40), "expected a grade of at least 1.*end at 1,000,000"),
        ((qrels, {"q": ["a"]}, ["MAP"]), "the run, query 'q': .*mapping of document ids to scores"),
        ((qrels, None, ["MAP"]), "the run: None; expected a mapping"),
        (({"q": {"a": 1.5}}, run, ["MAP"]), "query 'q', document 'a': grade 1.5"),
    ):
        with pytest.raises(ValueError, match=message):
            evaluate_run(*arguments)
