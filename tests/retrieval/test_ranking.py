"""The order of trec_eval, known from trec_eval itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_qproj.retrieval.measures import evaluate_run
from hybrid_qproj.retrieval.ranking import BestDocuments, trec_order
from hybrid_qproj.retrieval.rules import DataError
from hybrid_qproj.retrieval.trec import read_run, write_run

# Near ties that are equal in single precision only, ties, both zeros, what underflows there.
SCORES = st.sampled_from([1.0, 1.00000001, 0.99999999, 2.0, 0.0, -0.0, 1e-60, -1e-60, -1.5, 16777216.0, 16777217.0])
RUNS = st.dictionaries(st.text("abAB1é\u4e00", min_size=1, max_size=3), SCORES, min_size=1, max_size=12)


def rank_by_trec_eval(pytrec_eval, scores):
    """Rank of each document: the reciprocal of what trec_eval gives if it alone is relevant."""
    return {
        name: round(
            1
            / pytrec_eval.RelevanceEvaluator({"q": {name: 1}}, {"recip_rank"}).evaluate({"q": scores})["q"][
                "recip_rank"
            ]
        )
        for name in scores
    }


@given(scores=RUNS)
@settings(max_examples=60)
def test_order(tmp_path_factory, scores):
    """Ours is trec_eval's; a written run has it too, and reads back as it was."""
    pytrec_eval = pytest.importorskip("pytrec_eval", reason="needs the extra 'eval'")
    ranks = rank_by_trec_eval(pytrec_eval, scores)
    order = trec_order(scores)
    assert order == sorted(scores, key=ranks.__getitem__)
    path = tmp_path_factory.mktemp("run") / "a.run"
    write_run(str(path), {"q": scores}, "tag")
    assert [line.split()[2] for line in path.read_text().splitlines()] == order
    assert read_run(str(path)) == {"q": scores}


@given(scores=RUNS, depth=st.integers(1, 12), chunk=st.integers(1, 5))
@settings(max_examples=60)
def test_best_documents_are_the_first_of_the_order(scores, depth, chunk):
    """Whatever the chunks they come in: which of equal ones are cut is decided by their ids."""
    names, values = list(scores), torch.tensor([list(scores.values())] * 2)
    best = BestDocuments(2, depth)
    for start in range(0, len(names), chunk):
        best.add(names[start : start + chunk], values[:, start : start + chunk])
    for places in best.positions:
        assert [best.names[place] for place in places] == trec_order(scores)[:depth]
    assert best.scores.tolist() == values.gather(1, best.positions).tolist()


def test_scores_that_are_no_numbers():
    """A ranking of NaN would be one of nothing."""
    with pytest.raises(DataError, match="1 scores are not finite"):
        BestDocuments(1, 3).add(["a", "b"], torch.tensor([[1.0, float("nan")]]))


@given(
    grades=st.dictionaries(st.sampled_from("abcdef"), st.integers(-1, 3)),
    scores=st.dictionaries(st.sampled_from("abcdefgh"), SCORES),
    relevant=st.integers(1, 3),
    cut=st.integers(1, 9),
)
@settings(max_examples=60)
def test_measures_are_those_of_trec_eval(grades, scores, relevant, cut):
    """For near ties, negative grades, queries without relevant documents and empty rankings."""
    pytrec_eval = pytest.importorskip("pytrec_eval", reason="needs the extra 'eval'")
    qrels = {"q": grades, "other": {"x": 1}, "unanswered": {"x": 1}, "unjudged": {}}
    run = {"q": scores, "other": {"x": 1.0}, "not judged": {"x": 1.0}}
    names = {
        "MAP": "map",
        "MRR": "recip_rank",
        f"NDCG@{cut}": f"ndcg_cut_{cut}",
        f"P@{cut}": f"P_{cut}",
        f"R@{cut}": f"recall_{cut}",
    }
    theirs = pytrec_eval.RelevanceEvaluator(
        {q: g for q, g in qrels.items() if g}, set(names.values()), relevance_level=relevant
    ).evaluate(run)
    ours = evaluate_run(qrels, run, [*names, f"MRR@{cut}"], relevant)
    for measure, name in names.items():
        assert ours[measure] == {query: theirs.get(query, {name: 0.0})[name] for query in qrels if qrels[query]}
    # trec_eval has no cut: below it the reciprocal rank is that of the whole ranking.
    rank = ours["MRR"].get("q", 0.0)
    assert ours[f"MRR@{cut}"].get("q", 0.0) == (rank if rank >= 1 / cut - 1e-12 else 0.0)


def test_negative_grades():
    """Those below -1 make trec_eval overwrite its own memory: all negative ones are told to it as -1."""
    pytest.importorskip("pytrec_eval", reason="needs the extra 'eval'")
    run = {"a": 3.0, "b": 2.0, "c": 1.0}
    qrels = {f"q{i}": {"a": -2 - i % 5, "b": 2, "d": -7} for i in range(200)}
    found = evaluate_run(qrels, dict.fromkeys(qrels, run), ["NDCG@10", "MAP", "P@1", "R@2"])
    expected = {"NDCG@10": 1 / np.log2(3), "MAP": 0.5, "P@1": 0.0, "R@2": 1.0}
    for measure, value in expected.items():
        assert list(found[measure].values()) == pytest.approx([value] * 200)


def test_queries_without_judgement_are_not_judged():
    """They do not count, as trec_eval does not know them; with none left that is an error."""
    pytest.importorskip("pytrec_eval", reason="needs the extra 'eval'")
    assert evaluate_run({"q": {"a": 1}, "r": {}}, {"q": {"a": 1.0}}, ["MAP"]) == {"MAP": {"q": 1.0}}
    with pytest.raises(ValueError, match="no query is in both: 0 queries are judged"):
        evaluate_run({"q": {}}, {"q": {"a": 1.0}}, ["MAP"])


@pytest.mark.parametrize(
    ("qrels", "run", "message"),
    [
        ({"q": {"a": 1}}, {"q": {"a": float("nan")}}, "query 'q', document 'a': score nan is no finite number"),
        ({"q": {"a": 1}}, {"q": {"a": float("-inf")}}, "no finite number"),
        ({"q": {"a": 1}}, {"q": {"a": 1e39}}, "beyond single precision"),
        ({"q": {"a": 1}}, {"q": {"a": True}}, "expected a number"),
        ({"q": {"a": 1}}, {"q": {"a": "1"}}, "expected a number"),
        ({"q": {"a": 1}}, {"q": {"\ud800": 1.0}}, "surrogate"),
        ({"q": {"\ud800": 1}}, {"q": {"a": 1.0}}, "surrogate"),
        ({"q": {"a\0b": 1}}, {"q": {"a\0b": 1.0}}, "holds no NUL"),
        ({"q": {"a": 1.0}}, {"q": {"a": 1.0}}, "grade 1.0"),
        ({"q": {"a": True}}, {"q": {"a": 1.0}}, "grade True"),
        ({"q": {"a": 2**31}}, {"q": {"a": 1.0}}, "at most 1,000,000"),
        ({1: {"a": 1}}, {1: {"a": 1.0}}, "expected the id of a query"),
    ],
)
def test_what_trec_eval_would_misread(qrels, run, message):
    """NaN, scores and grades that it wraps, ids that it cuts or that end the process."""
    pytest.importorskip("pytrec_eval", reason="needs the extra 'eval'")
    with pytest.raises(DataError, match=message):
        evaluate_run(qrels, run, ["MAP"])


def test_numbers_of_numpy():
    """Scores and grades may come from arrays."""
    pytest.importorskip("pytrec_eval", reason="needs the extra 'eval'")
    run = {"q": {"a": np.float32(1), "b": np.int64(0)}}
    assert evaluate_run({"q": {"a": np.int64(1)}}, run, ["MAP"]) == {"MAP": {"q": 1.0}}


@pytest.mark.parametrize("relevant", [0, -1, True, 1.0])
def test_relevant(relevant):
    """Least grade that is relevant: below 1, documents nobody judged would be."""
    pytest.importorskip("pytrec_eval", reason="needs the extra 'eval'")
    with pytest.raises(ValueError, match="expected a grade of at least 1"):
        evaluate_run({"q": {"a": 1}}, {"q": {"a": 1.0}}, ["MAP"], relevant)
