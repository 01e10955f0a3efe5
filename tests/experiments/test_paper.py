"""The publication's experiments, from their configuration files, on a miniature MS MARCO and a tiny random BERT."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

for _module in ("datasets", "accelerate", "ir_datasets", "pydantic", "pytrec_eval", "matplotlib"):
    pytest.importorskip(_module, reason="needs the extra 'train'")

from hybrid_qproj.experiments.config import load_config  # noqa: E402
from hybrid_qproj.experiments.records import read_records  # noqa: E402

FOLDER = Path(__file__).parents[2] / "examples" / "paper"
FILES = sorted(path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.rglob("*.toml"))
BERT, DISTILBERT, FRACTIONS, FROZEN = (
    f"as-published/{name}" for name in ("bert", "distilbert", "bert-fractions", "distilbert-frozen")
)
SHRUNK = (
    (r'^name = "(?:distil)?bert"$', 'name = "{encoder}"'),
    (r"^max_tokens = 256$", "max_tokens = 16"),
    (r"^layers = \[\[0, .*\]\]$", "layers = [[0, 2]]"),
    (r"^layers = \[0, 4\]$", "layers = [0, 2]"),
    (r"^sizes = \[384, .*$", "sizes = [8]"),
    (r"^sizes = \[256\]$", "sizes = [8]"),
    (r"^384 = ", "8 = "),
    (r"^(?:128|64) = .*$", ""),
    (r"^seeds = 20$", "seeds = {seeds}"),
    (r"^fractions = \[100_000\]$", "fractions = [4]"),
    (r"^fractions = \[1_000, .*$", "fractions = [2, 4]"),
    (r"^fractions = \[0.01, .*$", "fractions = [0.5, 1.0]"),
    (r"^queries = 110_000$", "queries = 11"),
    (r"^validation = 0.1$", "validation = 0.5"),
    (r"^triples = .*$", 'triples = "train.jsonl"'),
    (r"^epochs = (?:5|10)$", "epochs = {epochs}"),
    (r"^batch_size = 64$", "batch_size = 4"),
)


def shrunk(name: str, encoder: Path, seeds: int, epochs: int) -> str:
    """The same experiment with what does not fit into a test made small."""
    text = (FOLDER / f"{name}.toml").read_text()
    for pattern, value in SHRUNK:
        text = re.sub(pattern, value.format(encoder=encoder, seeds=seeds, epochs=epochs), text, flags=re.MULTILINE)
    assert not re.search(r"0_000|256|^name = .*bert\"$", re.sub(r"(?m)^(#|name = \"arXiv).*$", "", text))
    return text


@pytest.fixture
def compared(msmarco, published_data, tiny_bert, tmp_path):
    """A function that runs a file in miniature; it gives the lines of results.csv, records, and what was printed."""

    def run(name, seeds, epochs):
        (tmp_path / "config.toml").write_text(shrunk(name, tiny_bert, seeds, epochs))
        environment = {**os.environ, "IR_DATASETS_HOME": str(msmarco), "HF_HUB_OFFLINE": "1"}
        for command in (
            [str(FOLDER / "triples.py"), str(published_data), "train.jsonl"],
            ["-m", "hybrid_qproj", "compare", "config.toml", "--out", "out", "--workers", "1"],
        ):
            done = subprocess.run(
                [sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
        rows = list(csv.DictReader((tmp_path / "out" / "results.csv").open()))
        return rows, read_records(tmp_path / "out"), done.stdout

    return run


def check_epochs(records, folder, epochs):
    """Each trained cell was measured after all epochs, and ended as after the last one; the report shows it."""
    for record in records:
        assert (record.epochs is None) == (record.cell.objective == "")
        if record.epochs:
            assert [epoch.epoch for epoch in record.epochs] == list(range(1, epochs + 1))
            assert all(epoch.validation > 0 for epoch in record.epochs)
            assert record.epochs[-1].measures == record.measures
    lines = list(csv.DictReader((folder / "epochs.csv").open()))
    assert {line["test"] for line in lines} == {"TREC DL 2019", "TREC DL 2020", "both years"}
    report = (folder / "results.md").read_text()
    for part in ("## NDCG@10 by epoch, both years", "| least validation loss |", "## Validation loss by epoch"):
        assert part in report


@pytest.mark.slow
@pytest.mark.parametrize("name", ["as-described/bert", "as-described/distilbert"])
def test_as_described(name, compared, tmp_path):
    """Frozen and trained layers, both heads and none, fractions and seeds: every cell, and the report."""
    rows, records, _ = compared(name, seeds=2, epochs=1)
    found = {(row["head"], row["layers"], row["queries"]) for row in rows}
    trained = {(h, "2", f) for h in ("uncompressed", "classical", "quantum") for f in ("0.5", "1.0")}
    frozen = {(h, "0", f) for h in ("classical", "quantum") for f in ("0.5", "1.0")}
    assert found == trained | frozen | {("uncompressed", "0", "")}
    assert {row["seeds"] for row in rows} == {"1", "2"}
    assert {row["test"] for row in rows} == {"TREC DL 2019", "TREC DL 2020", "both years"}
    assert {int(row["parameters"]) for row in rows if row["head"] == "quantum"} == {12 * (24 - 8)}
    check_epochs(records, tmp_path / "out", 1)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["config"]["labels"]["queries"] == 11
    assert manifest["versions"]["torch"]
    for figure in ("quality.svg", "quality.png", "curves.svg", "histograms.png"):
        assert (tmp_path / "out" / figure).stat().st_size > 1000


@pytest.mark.slow
@pytest.mark.parametrize("name", [BERT, DISTILBERT, FRACTIONS, FROZEN])
def test_as_published(name, compared, tmp_path):
    """The layers that the code names, its seeds, no query but those of five negatives: every cell, and the report."""
    rows, records, output = compared(name, seeds=1, epochs=2)
    heads = {"classical", "quantum"} if name in (FRACTIONS, FROZEN) else {
        "uncompressed", "uncompressed, quantum", "classical", "quantum"
    }  # fmt: skip
    queries = {"2", "4"} if name == FRACTIONS else {"4"}
    layers = "0" if name == FROZEN else "[0, 2]"
    assert {(row["head"], row["layers"], row["queries"]) for row in rows} == {
        (head, layers, number) for head in heads for number in queries
    }
    assert {record.cell.seed for record in records} == {42}
    check_epochs(records, tmp_path / "out", 2)
    # Four to train on and two for validation are all that there are.
    assert "note: training: 6 of 12 queries do not have 5 negatives" in output


def test_what_the_published_code_does():
    """Learning rates, layers, epochs, queries and seeds of each file, as docs/paper.md lists them."""
    files = {name: load_config(FOLDER / f"{name}.toml") for name in FILES}
    assert len(files) == 6
    published = {name: config for name, config in files.items() if name.startswith("as-published")}
    for config in published.values():
        assert list(config.all_seeds) == list(range(42, 62))
        assert (config.labels.negatives, config.labels.exact, config.labels.queries) == (5, True, 1.0)
        assert (config.labels.validation, config.each_epoch) == (0.1, True)
    for name, encoder, layers, epochs, fractions in (
        (BERT, "bert", (0, 9, 10, 11), 5, (100_000,)),
        (FRACTIONS, "bert", (0, 9, 10, 11), 10, tuple(1000 * n for n in (1, 2, 5, 10, 25, 50))),
        (DISTILBERT, "distilbert", (0, 3, 4, 5), 5, (100_000,)),
        (FROZEN, "distilbert", 0, 5, (100_000,)),
    ):
        config = published[name]
        assert (config.encoder.name, config.encoder.layers, config.fractions) == (encoder, (layers,), fractions)
        for head in config.heads:
            for k in config.sizes:
                settings = config.settings(head, "published", k)
                high = encoder == "bert" and (k == 256 or head.startswith("uncompressed"))
                assert settings.learning_rate == (4e-5 if high else 2e-5)
                assert (settings.epochs, settings.batch_size, settings.max_gradient_norm) == (epochs, 64, 0.0)
    for name in ("as-described/bert", "as-described/distilbert"):
        config = files[name]
        assert config.encoder.layers == (0, 4)
        rates = {config.settings(head, "published", k).learning_rate for head in config.heads for k in config.sizes}
        assert rates == {4e-5}


def test_published_data_as_triples(published_data, tmp_path):
    """The first positive and all negatives; a passage that both answers and does not is left out, and counted."""
    path = published_data / "msmarco.sbert.train.full.json"
    queries = json.loads(path.read_text())
    queries["100"]["hard_neg"].append(queries["100"]["pos"][0])
    path.write_text(json.dumps(queries))
    command = [sys.executable, str(FOLDER / "triples.py"), str(published_data), str(tmp_path / "new" / "t.jsonl")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "11 queries; 1 left out" in done.stdout
    lines = [json.loads(line) for line in (tmp_path / "new" / "t.jsonl").read_text().splitlines()]
    assert [len(line["negatives"]) for line in lines] == [5, 5, 6, 4, 5, 5, 6, 4, 5, 5, 6]
    assert lines[0]["query"] == queries["101"]["query"]
    path.write_text("[]")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "does not hold" in done.stderr
    assert len(list((tmp_path / "new").iterdir())) == 1
