"""evaluate without an experiment: models and runs on a collection, and against a baseline."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")
pytest.importorskip("pytrec_eval", reason="needs the extra 'eval'")

import hybrid_qproj
from hybrid_qproj.cli import app
from hybrid_qproj.cli.run.score import compare, run_score
from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval.collection import load_collection
from hybrid_qproj.retrieval.measures import evaluate_run
from hybrid_qproj.retrieval.protocols import make_test_set, rank
from hybrid_qproj.retrieval.trec import read_run, write_run

WORDS = ["cat", "dog", "rain", "bank", "river", "money"]


@pytest.fixture
def beir(tmp_path):
    """A BEIR folder of twelve documents and three queries, the first of which has the id of a document."""
    folder = tmp_path / "tiny"
    (folder / "qrels").mkdir(parents=True)
    documents = [{"_id": f"d{i}", "title": "", "text": f"{WORDS[i % 6]} {WORDS[i // 2]}"} for i in range(12)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(line) + "\n" for line in documents))
    queries = [{"_id": name, "text": text} for name, text in (("d0", "cat"), ("q1", "dog"), ("q2", "money"))]
    (folder / "queries.jsonl").write_text("".join(json.dumps(line) + "\n" for line in queries))
    judged = "d0\td6\t1\nd0\td1\t1\nq1\td1\t2\nq2\td5\t1\nq2\td11\t1\n"
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}")
    return folder


@pytest.fixture
def invoke():
    def run(*arguments, code=0):
        result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
        assert result.exit_code == code, result.output
        return result.output

    return run


def _ndcg(found, name):
    return found.means[name]["NDCG@10"]


def test_a_model_on_a_folder(model, beir, tmp_path, invoke):
    """Its run and measures are those of the library's own functions, and are written."""
    output = invoke(model, "--dataset", beir, "--out", tmp_path / "out", "--measure", "NDCG@10", "--measure", "P@2")
    test = make_test_set(load_collection(beir), "retrieve")
    run = rank(hybrid_qproj.load(model), test)
    expected = evaluate_run(test.qrels, run, ["NDCG@10", "P@2"])
    written = json.loads((tmp_path / "out" / "measures.json").read_text())
    assert written["queries"]["tiny"] == expected
    assert f"{np.mean(list(expected['P@2'].values())):.4f}" in output
    assert "d0" not in read_run(tmp_path / "out" / "model.run")["d0"]
    assert "tiny, 3 queries" in output


def test_an_encoder_and_its_compressed_self(model, tiny_bert, beir, invoke):
    """The paired test is of the queries' differences; as JSON, for programs."""
    found = json.loads(invoke(model, "--dataset", beir, "--baseline", tiny_bert, "--json"))
    assert list(found["means"]) == [model, str(tiny_bert)]
    (first, *_) = found["differences"]
    assert first["difference"] == pytest.approx(
        found["means"][model]["NDCG@10"] - found["means"][str(tiny_bert)]["NDCG@10"]
    )
    assert first["low"] <= first["difference"] <= first["high"]
    assert 0 < first["p"] <= 1
    assert "p (Holm)" in invoke(model, "--dataset", beir, "--baseline", tiny_bert)


def test_runs_are_scored_and_ordered_anew(model, beir, tmp_path, invoke):
    """A run file as the model, as the first stage, and as the baseline; scoring reads no text."""
    run = {"d0": {"d0": 9.0, "d6": 2.0, "d3": 1.0}, "q1": {"d4": 3.0, "d1": 2.0}, "q2": {"d5": 1.0}}
    write_run(tmp_path / "first.run", run, "x")
    first = tmp_path / "first.run"
    scored = run_score(str(first), str(beir))
    assert _ndcg(scored, str(first)) == pytest.approx((1 / 1.6309 + 0.63093 + 1 / 1.6309) / 3, abs=1e-4)
    kept = run_score(str(first), str(beir), drop_self=False)
    assert _ndcg(kept, str(first)) < _ndcg(scored, str(first))
    again = run_score(model, str(beir), run=first, baseline=str(first), out=tmp_path / "out")
    assert _ndcg(again, str(first)) == pytest.approx(_ndcg(scored, str(first)))
    assert set(read_run(tmp_path / "out" / "model.run")["q1"]) == {"d4", "d1"}
    (beir / "corpus.jsonl").write_text("{")
    assert _ndcg(run_score(str(first), str(beir)), str(first)) == _ndcg(scored, str(first))
    assert list(json.loads(invoke(first, "--dataset", beir, "--json"))["means"]) == [str(first)]


def test_differences_are_corrected_for_their_number():
    """Holm's correction over measures; the difference is the mean's."""
    better = {str(i): 0.5 + 0.01 * i for i in range(12)}
    worse = {str(i): 0.4 + 0.008 * i for i in range(12)}
    one, same = compare({"A": better, "B": better}, {"A": worse, "B": better})
    (alone,) = compare({"A": better}, {"A": worse})
    assert one.difference == pytest.approx(alone.difference)
    assert one.p == pytest.approx(2 * alone.p)
    assert (same.difference, same.p) == (0, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give an experiment (a TOML file) or --dataset"),
        (["x.toml", "--dataset", "lee"], "give an experiment (a TOML file) or --dataset"),
        (["x.toml", "--baseline", "minilm"], "go with --dataset"),
        (["x.toml"], "say where with --out"),
        (["--dataset", "lee", "--measure", "ndcg@10"], "did you mean 'NDCG@10'"),
        (["--dataset", "lee", "--protocol", "rerank"], "orders the documents of --run anew"),
        (["--dataset", "lee", "--protocol", "judges"], "expected one of rerank, judged, retrieve"),
        (["--dataset", "lee", "--baseline", "MODEL"], "the baseline is"),
        (["--dataset", "lee", "--relevant", "2000"], "relevant = 2000"),
    ],
)
def test_refusals(model, invoke, arguments, message):
    """One line, before anything is encoded."""
    given = [model if argument == "MODEL" else argument for argument in arguments]
    assert message in " ".join(invoke(model, *given, code=1).split())


def test_one_query_is_no_comparison(model, tiny_bert, beir):
    """It has no spread."""
    (beir / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    with pytest.raises(DataError, match="needs 2 at least"):
        run_score(model, str(beir), baseline=str(tiny_bert))
    assert _ndcg(run_score(model, str(beir)), model) >= 0
