"""train, evaluate and compare as a user runs them, on a tiny random BERT and invented texts."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

for _module in ("datasets", "accelerate", "sentence_transformers", "pydantic", "pytrec_eval", "matplotlib"):
    pytest.importorskip(_module, reason="needs the extra 'train'")

import hybrid_qproj  # noqa: E402
from hybrid_qproj._util.locks import exclusive  # noqa: E402
from hybrid_qproj._util.outputs import LOCK  # noqa: E402
from hybrid_qproj.cli import app  # noqa: E402
from hybrid_qproj.errors import DataError  # noqa: E402
from hybrid_qproj.experiments.checks import check_runs_of  # noqa: E402
from hybrid_qproj.experiments.records import read_records  # noqa: E402
from hybrid_qproj.heads.checkpoint import CheckpointError  # noqa: E402
from hybrid_qproj.retrieval.collection import Collection  # noqa: E402
from hybrid_qproj.retrieval.documents import MemoryDocuments  # noqa: E402
from hybrid_qproj.retrieval.protocols import make_test_set  # noqa: E402
from hybrid_qproj.retrieval.trec import read_run  # noqa: E402

SETTINGS = ["--head", "quantum", "--objective", "labels"]


@pytest.fixture
def invoke():
    def run(*arguments, code=0):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exit_code == code, result.output
        return result.output

    return run


@pytest.fixture
def config(tmp_path, tiny_bert, write_experiment):
    return write_experiment(tmp_path, tiny_bert)


def one_fraction(config):
    config.write_text(config.read_text().replace("fractions = [2, 4]", "fractions = [4]"))


def test_train_evaluate(config, tmp_path, invoke):
    """A trained model is saved on its encoder, loads, and gives TREC runs of the depth asked for."""
    one_fraction(config)
    output = invoke("train", config, "--out", tmp_path / "run", *SETTINGS)
    assert "253 parameters of the head, 0 of the encoder; seed 0" in output
    model = hybrid_qproj.load(tmp_path / "run" / "model")
    assert "How it was made:** trained on the objective" in (tmp_path / "run" / "model" / "README.md").read_text()
    assert model.encode(["a cat"], convert_to_tensor=True).shape == (1, 3)
    output = invoke("evaluate", tmp_path / "run" / "model", config, "--out", tmp_path / "eval")
    run = read_run(tmp_path / "eval" / "whole.run")
    assert set(run) == {"t0", "t1", "t2", "t3"}
    assert {len(scores) for scores in run.values()} == {20}
    means = json.loads((tmp_path / "eval" / "measures.json").read_text())["means"]
    assert f"{means['whole']['NDCG@10']:.4f}" in output
    assert {len(scores) for scores in read_run(tmp_path / "eval" / "judged.run").values()} == {8}


def test_train_again_changes_nothing(config, tmp_path, invoke):
    """A finished run is not trained further; another one may not go into its folder."""
    one_fraction(config)
    invoke("train", config, "--out", tmp_path / "run", *SETTINGS)
    before = (tmp_path / "run" / "model" / "2_ProjectionHead" / "model.safetensors").read_bytes()
    invoke("train", config, "--out", tmp_path / "run", *SETTINGS)
    assert (tmp_path / "run" / "model" / "2_ProjectionHead" / "model.safetensors").read_bytes() == before
    output = invoke("train", config, "--out", tmp_path / "run", *SETTINGS, "--seed", "1", code=1)
    assert "holds a run of another head or configuration" in output


def test_train_with_dev_and_trained_layers(tiny_bert, tmp_path, write_experiment, invoke):
    """The encoder's last layer trains too, and the best epoch on dev is kept."""
    dev = """
[dev]
name = "dev"
documents = "corpus.tsv"
queries = "topics.tsv"
qrels = "qrels"
protocol = "judged"
"""
    config = write_experiment(tmp_path, tiny_bert, layers="1", extra=dev)
    one_fraction(config)
    config.write_text(config.read_text().replace("steps = 4", "epochs = 2"))
    output = invoke("train", config, "--out", tmp_path / "run", *SETTINGS)
    assert re.search(r"253 parameters of the head, [1-9][\d,]+ of the encoder", output)
    state = json.loads(next((tmp_path / "run").glob("checkpoint-*/trainer_state.json")).read_text())
    assert any("eval_dev_ndcg@10" in entry for entry in state["log_history"])
    assert hybrid_qproj.load(tmp_path / "run" / "model").encode(["a cat"]).shape == (1, 3)


def test_train_layers_by_number_and_watch(tiny_bert, tmp_path, write_experiment, invoke):
    """What was measured after each epoch is told, again when the finished run is started again."""
    config = write_experiment(tmp_path, tiny_bert, layers="[2, 0]")
    text = config.read_text().replace("fractions = [2, 4]", "fractions = [2]\neach_epoch = true")
    text = text.replace("steps = 4", "epochs = 2").replace("negatives = 2", "negatives = 2\nvalidation = 2")
    config.write_text(text)
    output = invoke("train", config, "--out", tmp_path / "run", *SETTINGS)
    assert "_l.0.2_" in output
    told = re.findall(r"^epoch [12]: validation loss \d\.\d{4}; judged NDCG@10 0\.\d+", output, re.MULTILINE)
    assert [line[:7] for line in told] == ["epoch 1", "epoch 2"]
    again = invoke("train", config, "--out", tmp_path / "run", *SETTINGS)
    assert all(line in again for line in told)


def test_compare_report(config, tmp_path, invoke):
    """All cells are there, with tables, tests, figures and a manifest; PCA and full have one seed."""
    output = invoke("compare", config, "--out", tmp_path / "out", "--workers", "2")
    assert "small: 28 cells, 0 of them done before" in output
    rows = list(csv.DictReader((tmp_path / "out" / "results.csv").open()))
    seeds = {(row["head"], row["seeds"]) for row in rows}
    assert {("full", "1"), ("PCA", "1"), ("random", "2"), ("linear", "2"), ("quantum", "2")} <= seeds
    quantum = next(row for row in rows if row["head"] == "quantum" and row["k"] == "3")
    low_rank = next(row for row in rows if row["head"] == "low-rank" and row["k"] == "3")
    assert int(low_rank["parameters"]) <= int(quantum["parameters"]) == 12 * (24 - 3) + 1
    report = (tmp_path / "out" / "results.md").read_text()
    for heading in ("## NDCG@10", "## MRR@10", "## NDCG@10 against full, all", "## Saturation"):
        assert heading in report
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert set(manifest["data"]) == {"corpus.tsv", "topics.tsv", "qrels", "train.jsonl"}
    assert str(tmp_path) not in (tmp_path / "out" / "manifest.json").read_text().replace(str(config), "")
    for name in ("quality.svg", "quality.png", "curves.svg", "curves.png", "histograms.svg", "histograms.png"):
        assert (tmp_path / "out" / name).stat().st_size > 1000
    assert not list((tmp_path / "out" / "work").glob("*"))


def test_compare_runs_only_what_is_missing(config, tmp_path, invoke):
    """Cells taken away come back equal to the last bit; a changed setting runs its cells again; damage is named."""
    out = tmp_path / "out"
    invoke("compare", config, "--out", out, "--workers", "1")
    before = {path.name: path.read_bytes() for path in (out / "cells").iterdir()}
    for name in list(before)[::5]:
        (out / "cells" / name).unlink()
    assert f"{len(before) - len(list(before)[::5])} of them done before" in invoke(
        "compare", config, "--out", out, "--workers", "1"
    )
    assert {path.name: path.read_bytes() for path in (out / "cells").iterdir()} == before
    config.write_text(config.read_text().replace("learning_rate = 5e-2", "learning_rate = 4e-2"))
    assert "28 cells, 20 of them done before" in invoke("compare", config, "--out", out, "--workers", "1")
    (out / "cells" / next(iter(before))).write_text("{")
    assert "is no whole record" in invoke("compare", config, "--out", out, "--workers", "1", code=1)


@pytest.mark.slow
def test_killed_compare_resumes_to_identical_results(config, tmp_path):
    """SIGKILL to the parent: its workers go too, and a second run ends with the results of an uninterrupted one."""
    command = [sys.executable, "-m", "hybrid_qproj", "compare", str(config), "--workers", "2", "--out"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    subprocess.run([*command, str(tmp_path / "straight")], env=environment, check=True, capture_output=True)
    killed = subprocess.Popen(
        [*command, str(tmp_path / "killed")], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    cells = tmp_path / "killed" / "cells"
    deadline = time.monotonic() + 200
    while not (cells.is_dir() and len(list(cells.glob("*.json"))) >= 5):
        assert time.monotonic() < deadline
        assert killed.poll() is None
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    time.sleep(5)  # the workers notice within two seconds
    before = len(list(cells.glob("*.json")))
    time.sleep(3)
    assert len(list(cells.glob("*.json"))) == before < 28
    subprocess.run([*command, str(tmp_path / "killed")], env=environment, check=True, capture_output=True)
    for name in ("results.json", "results.csv", "comparisons.csv", "results.md", "quality.svg"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "straight" / name).read_bytes()


@pytest.mark.slow
def test_killed_train_resumes_to_the_same_model(tiny_bert, tmp_path, write_experiment):
    """SIGKILL in the middle of training an encoder with its head."""
    config = write_experiment(tmp_path, tiny_bert, layers="1")
    one_fraction(config)
    config.write_text(config.read_text().replace("steps = 4", "steps = 60\ncheckpoint_steps = 5"))
    command = [sys.executable, "-m", "hybrid_qproj", "train", str(config), *SETTINGS, "--out"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    subprocess.run([*command, str(tmp_path / "straight")], env=environment, check=True, capture_output=True)
    killed = subprocess.Popen(
        [*command, str(tmp_path / "killed")], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 200
    while not list((tmp_path / "killed").glob("checkpoint-*/trainer_state.json")):
        assert time.monotonic() < deadline
        assert killed.poll() is None, "finished before it could be killed"
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "killed" / "model").exists()
    subprocess.run([*command, str(tmp_path / "killed")], env=environment, check=True, capture_output=True)
    models = [hybrid_qproj.load(tmp_path / name / "model").state_dict() for name in ("straight", "killed")]
    assert all(torch.equal(models[0][name], models[1][name]) for name in models[0])


def test_failed_cells_do_not_stop_the_others(config, tmp_path, invoke):
    """A head whose loss explodes is named at the end; all other cells are recorded."""
    config.write_text(config.read_text().replace("learning_rate = 5e-2", "learning_rate = 1e38"))
    output = invoke("compare", config, "--out", tmp_path / "out", "--workers", "1", code=1)
    assert "the loss became nan" in output
    records = read_records(tmp_path / "out")
    assert {record.cell.head for record in records} >= {"full", "PCA", "linear", "low-rank"}


def test_refusals(config, tmp_path, invoke):
    """What cannot be trained or read, each in one line."""
    assert "no configuration file" in invoke("compare", tmp_path / "none.toml", "--out", tmp_path / "x", code=1)
    assert "say which head to train with --head: full, PCA" in invoke("train", config, "--out", tmp_path / "x", code=1)
    output = invoke("train", config, "--out", tmp_path / "x", *SETTINGS, code=1)
    assert "fractions = [2, 4]: to train one model, give one" in output
    assert "holds no" in invoke("evaluate", tmp_path, config, "--out", tmp_path / "x", code=1)
    (tmp_path / "topics.tsv").write_text("x1\tno judgements\n")
    output = invoke("compare", config, "--out", tmp_path / "x", code=1)
    assert "has no query with judgements" in output
    (tmp_path / "topics.tsv").write_text("no tab\n")
    assert "topics.tsv, line 1: 'no tab'" in invoke("compare", config, "--out", tmp_path / "x", code=1)


def test_damaged_cache_is_named(config, tmp_path, invoke):
    """A torn file of the embedding cache stops a run before it starts, with what to do."""
    one_fraction(config)
    invoke("train", config, "--out", tmp_path / "run", *SETTINGS)
    path = sorted((tmp_path / "cache").rglob("*.safetensors"))[0]
    path.write_bytes(path.read_bytes()[:-7])
    assert "delete it: what was in it will be encoded again" in invoke(
        "train", config, "--out", tmp_path / "second", *SETTINGS, code=1
    )


def test_unknown_model_is_an_error(tmp_path):
    """A folder without a model."""
    with pytest.raises(CheckpointError):
        hybrid_qproj.load(tmp_path)


def test_embeddings_computed_elsewhere(tmp_path, write_experiment, invoke):
    """Where an NPZ file has all of them, no encoder is loaded."""
    config = write_experiment(tmp_path, tmp_path / "no-such-encoder")
    draw = np.random.default_rng(0)
    queries = [f"{letter}{i}" for letter in "qt" for i in range(4)]
    np.savez(
        tmp_path / "e.npz",
        docids=np.array([f"d{i}" for i in range(32)]),
        docs=draw.normal(size=(32, 24)).astype(np.float16),
        qids=np.array(queries),
        queries=draw.normal(size=(8, 24)).astype(np.float16),
    )
    text = config.read_text()
    text = text.replace('judged = "train.jsonl"', 'judged = "train.jsonl", embeddings = "e.npz"')
    text = text.replace('documents = "corpus.tsv" }', 'documents = "corpus.tsv", embeddings = "e.npz" }')
    config.write_text(text.replace('qrels = "qrels"\n', 'qrels = "qrels"\nembeddings = "e.npz"\n'))
    assert "28 cells" in invoke("compare", config, "--out", tmp_path / "out", "--workers", "1")
    assert not (tmp_path / "cache").exists()


def test_a_second_run_is_refused(config, tmp_path, invoke):
    """By the first one's name, and nothing changes."""
    one_fraction(config)
    for arguments, folder in (
        (["train", config, "--out", tmp_path / "run", *SETTINGS], "run"),
        (["compare", config, "--out", tmp_path / "grid"], "grid"),
    ):
        (tmp_path / folder).mkdir()
        with exclusive(tmp_path / folder / LOCK, "another"):
            output = " ".join(invoke(*arguments, code=1).split())
        assert f"is being written by process {os.getpid()}" in output
        assert not list((tmp_path / folder).iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--head", "quantm"], "no head 'quantm'; did you mean 'quantum'? there are full"),
        (["--objective", "lables"], "no objective 'lables'; did you mean 'labels'? there are labels, both"),
        (["--head", "PCA"], "head 'PCA' (PCAProjection) has nothing to train"),
        (["--size", "24"], "cannot be built: in_features=24, out_features=24"),
        (["--size", "0"], "cannot be built: in_features=24, out_features=0"),
        (["--seed", "-1"], "--seed -1: expected 0 to 4294967295"),
    ],
)
def test_choices_are_checked_first(config, tmp_path, invoke, options, message):
    """Before any text is read, and without a folder left behind."""
    one_fraction(config)
    (tmp_path / "train.jsonl").write_text("unreadable\n")
    arguments = dict(zip(SETTINGS[::2], SETTINGS[1::2], strict=True)) | {options[0]: options[1]}
    output = invoke(
        "train", config, "--out", tmp_path / "run", *(part for pair in arguments.items() for part in pair), code=1
    )
    assert message in " ".join(output.split())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'qrels = "qrels"\nprotocol = "judged"',
            'qrels = "qrel"\nprotocol = "judged"',
            "test.0.qrels: there is no file",
        ),
        ("depth = 20", "depth = 20\nrelevant = 3", "relevant = 3, but no judgement has a grade above 2"),
        ("scale = 1.0", 'device = "no.such"', "no device 'no.such'"),
        ("sizes = [3]", "sizes = [3, 99]", "cannot be built: in_features=24, out_features=99"),
        ("labels = { log = true }", "labels = { scale = -1.0 }", "scale=-1.0: expected a positive number"),
    ],
)
def test_settings_are_checked_first(config, tmp_path, invoke, old, new, message):
    """Nothing is embedded for an experiment that cannot end."""
    config.write_text(config.read_text().replace(old, new, 1))
    assert message in " ".join(invoke("compare", config, "--out", tmp_path / "out", code=1).split())
    assert not (tmp_path / "cache").exists()
    assert not (tmp_path / "out").exists()


def test_one_judged_query_has_no_test(config, tmp_path, invoke):
    """Of significance; without baselines it may be compared."""
    (tmp_path / "qrels").write_text("t0 0 d1 1\n")
    config.write_text(config.read_text().replace('pools = { "all" = ["judged", "whole"] }', ""))
    output = invoke("compare", config, "--out", tmp_path / "out", code=1)
    assert "has 1 judged query; comparing with baselines needs at least 2" in " ".join(output.split())


def test_embeddings_are_looked_at_first(config, tmp_path, invoke):
    """A file that is no NPZ, before an encoder is loaded."""
    (tmp_path / "e.npz").write_bytes(b"PK\x03\x04 no archive")
    text = config.read_text().replace('judged = "train.jsonl"', 'judged = "train.jsonl", embeddings = "e.npz"')
    config.write_text(text)
    output = invoke("compare", config, "--out", tmp_path / "out", code=1)
    assert "e.npz cannot be read as NPZ with an array 'docs'" in " ".join(output.split())


def test_summary_compares_the_same_examples(config, tmp_path, invoke):
    """Before and after training; a run that goes on says the same."""
    one_fraction(config)
    first = invoke("train", config, "--out", tmp_path / "run", *SETTINGS)
    found = re.search(r"loss ([\d.]+) before training, ([\d.]+) after, on the same examples", first)
    assert float(found[2]) < float(found[1])
    assert found[0] in invoke("train", config, "--out", tmp_path / "run", *SETTINGS)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "whole"', 'name = "ju dged"', "would both write ju-dged.run; rename one"),
        ('name = "whole"', 'name = "' + 100 * "\u00e4" + '"', "longer than 200 bytes; shorten"),
    ],
)
def test_names_of_runs_are_seen_first(config, tmp_path, invoke, old, new, message):
    """Two tests of one file, the second over the first; and a name that no file system takes."""
    text = config.read_text().replace('"judged"\ndocuments', '"ju-dged"\ndocuments').replace(old, new)
    config.write_text(text.replace('pools = { "all" = ["judged", "whole"] }', ""))
    assert message in " ".join(invoke("evaluate", tmp_path / "none", config, "--out", tmp_path / "out", code=1).split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("protocol", ["judged", "retrieve"])
def test_ids_that_no_run_can_hold(protocol):
    """A space in the id of a query or a document is said before anything is encoded, not when the run is written."""
    for query, document in (("q 1", "d1"), ("q1", "d 1"), ("q1", "d1")):
        documents = MemoryDocuments({document: "a cat", "d2": "a mat"})
        collection = Collection("a", documents, {query: "a cat"}, {query: {document: 1, "d2": 0}})
        test = make_test_set(collection, protocol)
        if query == "q1" and document == "d1":
            check_runs_of([test])
        else:
            with pytest.raises(DataError, match=r"test 'a', a .*cannot stand in a TREC run"):
                check_runs_of([test])
