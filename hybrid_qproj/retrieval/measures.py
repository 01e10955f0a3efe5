"""Retrieval measures by trec_eval, per query."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import TypeVar

import numpy as np
from torch import Tensor

from hybrid_qproj._util.excerpts import show
from hybrid_qproj._util.extras import require
from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval.ranking import trec_order
from hybrid_qproj.retrieval.rules import LARGEST_GRADE, LARGEST_SCORE, check_grade, check_id, check_score

T = TypeVar("T")
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
        DataError: the sizes differ, a score is not finite, or an id is there twice.
    """
    table = scores.detach().cpu().double().numpy()
    if len(set(ids)) < len(ids):
        raise DataError(f"{len(ids) - len(set(ids))} of {len(ids)} ids came before; each text needs its own")
    if table.shape != (len(ids), len(ids)):
        raise DataError(f"got scores of shape {table.shape} for {len(ids)} texts; expected a square")
    if not np.isfinite(table).all():
        raise DataError(f"{(~np.isfinite(table)).sum()} scores are not finite; a ranking needs numbers")
    return {q: {d: float(table[i, j]) for j, d in enumerate(ids) if j != i} for i, q in enumerate(ids)}


MEASURES = ("NDCG@10", "MAP", "MRR@10", "R@100")
"""What evaluations report unless told otherwise."""

_TREC_NAMES = {"NDCG": "ndcg_cut_", "R": "recall_", "P": "P_", "MAP": "map_cut_"}


def evaluate_run(
    qrels: Qrels, run: Run, measures: Sequence[str] = MEASURES, relevant: int = 1
) -> dict[str, dict[str, float]]:
    """Measures of a run for each judged query, by trec_eval.

    Documents are ranked as trec_eval ranks them: by score in single precision, equal ones by descending id. NDCG takes
    the grades themselves as gains (linear gain), whatever ``relevant`` is; a negative grade is no gain and not
    relevant.

    Args:
        qrels: query id -> document id -> relevance grade.
        run: query id -> document id -> score.
        measures: NDCG@k, P@k, R@k (recall), MAP or MAP@k, MRR or MRR@k.
        relevant: least grade that counts as relevant for the binary measures; 2 on the passages of TREC Deep
            Learning.

    Returns:
        measure -> query id -> value in [0, 1]. A judged query that the run does not answer counts as 0, as
        trec_eval's option -c does, and so does one without relevant documents. A query with no judgement at all is
        left out: to trec_eval it is not judged.

    Raises:
        DataError: an unknown measure, ``relevant`` no whole number of at least 1, or no query in both.
        DataError: the judgements or the run are no mappings of mappings, a score is no finite number of single
            precision, a grade no whole number, or an id no id.
        MissingExtraError: pytrec_eval is not installed.

    Examples:
        >>> evaluate_run({"q": {"a": 2, "b": 0}}, {"q": {"a": 0.1, "b": 0.9}}, ["MRR@10", "P@1"])
        {'MRR@10': {'q': 0.5}, 'P@1': {'q': 0.0}}
    """
    pytrec_eval = require("pytrec_eval", "eval", "evaluation")
    if not isinstance(relevant, Integral) or isinstance(relevant, bool) or not 1 <= relevant <= LARGEST_GRADE:
        raise DataError(
            f"relevant = {relevant!r}; expected a grade of at least 1, a whole number: documents nobody judged have "
            f"0, and grades end at {LARGEST_GRADE:,}"
        )
    if isinstance(measures, str):
        raise DataError(f"measures = {measures!r}; expected a list of names, such as [{measures!r}]")
    measures = list(measures)
    named = [(measure, *_trec_name(measure)) for measure in measures]
    judged = {query: grades for query, grades in _grades(qrels).items() if grades}
    scored = _scores(run)
    if not judged.keys() & scored.keys():
        raise DataError(
            f"no query is in both: {len(judged)} queries are judged, {len(scored)} are in the run; check the ids"
        )
    # trec_eval has no cut-off for the reciprocal rank: the run is cut instead, one cut at a time.
    cuts: dict[int | None, dict[str, str]] = {}
    for measure, name, cut in named:
        cuts.setdefault(cut, {})[measure] = name
    values: dict[str, dict[str, float]] = {}
    for cut, names in cuts.items():
        evaluator = pytrec_eval.RelevanceEvaluator(judged, set(names.values()), relevance_level=int(relevant))
        answered = evaluator.evaluate({query: _top(scores, cut) for query, scores in scored.items()})
        for measure, name in names.items():
            values[measure] = {query: answered[query][name] if query in answered else 0.0 for query in judged}
    return {measure: values[measure] for measure in measures}


def check_measure(measure: str) -> None:
    """Refuse the name of a measure that does not exist.

    Args:
        measure: see `evaluate_run`.

    Raises:
        DataError: there is none of this name; one that is near is suggested.
    """
    try:
        _trec_name(measure)
    except ValueError as error:
        try:
            _trec_name(measure.upper())
        except ValueError:
            raise error from None
        raise DataError(f"no measure {measure!r}; did you mean {measure.upper()!r}?") from error


def _trec_name(measure: str) -> tuple[str, int | None]:
    """trec_eval's name of a measure, and where the run must be cut for it."""
    match = re.fullmatch(r"(NDCG|R|P|MAP|MRR)(?:@([1-9]\d{0,5}))?", measure)
    if match is None or (match[2] is None and match[1] not in ("MAP", "MRR")):
        raise DataError(f"measure {measure!r}: expected NDCG@k, P@k, R@k, MAP, MAP@k, MRR or MRR@k with k a number")
    name, cut = match[1], match[2]
    if name == "MRR":
        return "recip_rank", int(cut) if cut else None
    return ("map" if cut is None else _TREC_NAMES[name] + cut), None


def _top(scores: Mapping[str, float], cut: int | None) -> dict[str, float]:
    """The best of a ranking, in trec_eval's order."""
    return dict(scores) if cut is None else {name: scores[name] for name in trec_order(scores)[:cut]}


def _grades(qrels: Qrels) -> dict[str, dict[str, int]]:
    """Judgements that trec_eval reads as they are: it takes 2**31 for no grade, and what is behind a NUL for none."""
    checked: dict[str, dict[str, int]] = {}
    for query, grades in _items(qrels, "the judgements", "query ids to their judgements"):
        where = f"judgements, query {show(query)}"
        checked[check_id(query, where, "the id of a query")] = mine = {}
        for document, grade in _items(grades, where, "document ids to grades"):
            # All below 0 are the same to every measure here; those below -1 overwrite trec_eval's own memory.
            name = check_id(document, where)
            mine[name] = max(check_grade(grade, f"{where}, document {show(name)}"), -1)
    return checked


def _scores(run: Run) -> dict[str, dict[str, float]]:
    """A run that trec_eval reads as it is."""
    checked: dict[str, dict[str, float]] = {}
    for query, scores in _items(run, "the run", "query ids to their rankings"):
        where = f"the run, query {show(query)}"
        checked[check_id(query, where, "the id of a query")] = mine = {}
        for document, score in _items(scores, where, "document ids to scores"):
            # Runs are long; most scores are what they should be.
            sound = type(score) is float and -LARGEST_SCORE <= score <= LARGEST_SCORE
            mine[check_id(document, where)] = (
                score if sound else check_score(score, f"{where}, document {show(document)}")
            )
    return checked


def _items(table: Mapping[str, T], where: str, what: str) -> Iterable[tuple[str, T]]:
    if not isinstance(table, Mapping):
        raise DataError(f"{where}: {show(table)}; expected a mapping of {what}")
    return table.items()


def mean_ndcg(qrels: Qrels, run: Run) -> float:
    """Mean NDCG@10 over queries."""
    return float(np.mean(list(evaluate_run(qrels, run, ["NDCG@10"])["NDCG@10"].values())))
