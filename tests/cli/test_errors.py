"""What a command's input can have wrong is an error of the package: one line, and no traceback."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

for _module in ("sentence_transformers", "faiss", "datasets", "accelerate", "pytrec_eval", "matplotlib"):
    pytest.importorskip(_module, reason="needs the extras 'train' and 'index'")

from hybrid_qproj.cli import app  # noqa: E402


@pytest.fixture
def work(tiny_bert, tmp_path, write_experiment, model):
    """A folder with a model, an experiment, texts, and what is none of these."""
    (tmp_path / "experiment").mkdir()
    config = write_experiment(tmp_path / "experiment", tiny_bert)
    text = config.read_text().replace("fractions = [2, 4]", "fractions = [4]")
    for name, old, new in (
        ("layers", "layers = [0]", "layers = [9]"),
        ("held-out", "steps = 4", "steps = 4\nheld_out = 5"),
        ("queries", "fractions = [4]", "fractions = [99]"),
        ("measure", '"NDCG@10"', '"NDCG@x"'),
    ):
        assert old in text
        (tmp_path / "experiment" / f"{name}.toml").write_text(text.replace(old, new))
    (tmp_path / "texts.tsv").write_text("".join(f"d{i}\tthe cat {i}\n" for i in range(6)))
    (tmp_path / "binary.tsv").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "file").write_text("x")
    (tmp_path / "encoder").symlink_to(tiny_bert)
    return tmp_path


CHOICE = "--head quantum --objective labels"
FIT = "--max-tokens 16 --out out"
CASES = {
    "encode model none.tsv --out out": "no file",
    "encode model binary.tsv --out out": "is UTF-16 or no text",
    "encode ./none texts.tsv --out out": "there is no folder",
    "encode model texts.tsv --out out --workers 2": "workers=2 is for a Ray cluster",
    "index file": "there is no folder of angles",
    "search model none cat": "manifest.json is missing",
    "evaluate model experiment --out out": "is no TOML",
    "compare texts.tsv --out out": "is no TOML",
    "compare experiment/measure.toml --out out": "measure 'NDCG@x': expected NDCG@k",
    f"train experiment/layers.toml --out out {CHOICE}": "trainable_layers=9: expected 0 to 3",
    f"train experiment/held-out.toml --out out {CHOICE}": "held_out=5: only texts without labels can be held out",
    f"train experiment/queries.toml --out out {CHOICE}": "99 training queries were asked for",
    f"fit ./encoder texts.tsv --k 24 {FIT}": "expected 1 <= out_features < in_features",
    f"fit ./encoder texts.tsv --k 4 --angles 1 {FIT}": "angles=1: mixing and merging alone take 20",
    "estimate model --device default.qubit --price-per-shot 1": "costs nothing; leave the prices out",
    "calibrate ./file --device default.qubit --out out": "there is no folder",
    "draw u_cu --out file/x.svg": "make that folder first",
    "gallery file": "Not a directory",
    "demo --out file": "is a file",
}


@pytest.mark.parametrize("command", CASES)
def test_one_line(work, monkeypatch, command):
    monkeypatch.chdir(work)
    result = CliRunner().invoke(app, command.split())
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code == 1
    assert CASES[command] in " ".join(result.output.split())
    assert "error: " in result.output.splitlines()[-1]
