"""From a text file to a saved encoder with a fitted head."""

from __future__ import annotations

import os
import re

import pytest
import torch

pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from sentence_transformers import SentenceTransformer
from typer.testing import CliRunner

import hybrid_qproj
from hybrid_qproj import QuantumProjection, sbert
from hybrid_qproj._util.locks import exclusive
from hybrid_qproj.cli import app
from hybrid_qproj.cli.fitting import run_fit
from hybrid_qproj.devices import DeviceUnavailableError
from hybrid_qproj.fitting import FitSettings

WORDS = ["cat", "dog", "rain", "bank", "river", "money", "law", "sun"]
TEXTS = [f"{WORDS[i % 8]} {WORDS[(i // 8) % 8]} {WORDS[(i * 3) % 8]}" for i in range(60)]


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "corpus.tsv").write_text("".join(f"d{i}\t{text}\n" for i, text in enumerate(TEXTS)))
    return tmp_path / "corpus.tsv"


def test_fit(tiny_bert, corpus, tmp_path, monkeypatch):
    """The saved head is the one that QuantumProjection.fit gives for all embeddings at once."""
    monkeypatch.setattr(sbert, "TEXTS_AT_ONCE", 17)
    arguments = [
        "fit",
        str(tiny_bert),
        str(corpus),
        "--k",
        "3",
        "--out",
        str(tmp_path / "m"),
        "--mixing",
        "1",
        "--angles",
        "99",
    ]
    device = "default.mixed?noise=phase_damping:0.1"
    arguments += ["--device", device, "--corrections", "1", "--limit", "50", "--max-tokens", "32"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert re.fullmatch(r"QuantumProjection 24 -> 3, \d+ rotor blocks in \d+ stages: \S+\n", result.output)
    found = hybrid_qproj.load(tmp_path / "m")
    encoder = SentenceTransformer(str(tiny_bert), device="cpu")
    embeddings = encoder.encode(TEXTS[:50], convert_to_tensor=True).clone()
    expected = QuantumProjection.fit(
        embeddings, 3, device=device, settings=FitSettings(mixing=1, angles=99), corrections=1
    )
    assert str(found.head.device) == device
    assert found.head.plan == expected.plan
    torch.testing.assert_close(found.head(embeddings), expected(embeddings), atol=1e-5, rtol=0)


def test_from_an_iterator(tiny_bert, monkeypatch):
    """The encoder's own way takes texts one by one, says how many, and looks at the sizes before it reads any."""
    monkeypatch.setattr(sbert, "TEXTS_AT_ONCE", 17)
    seen = []
    found = sbert.with_fitted_head(str(tiny_bert), iter(TEXTS), 3, "u_cu", progress=seen.append)
    assert seen == [17, 34, 51, 60]
    embeddings = SentenceTransformer(str(tiny_bert), device="cpu").encode(TEXTS, convert_to_tensor=True).clone()
    expected = QuantumProjection.fit(embeddings, 3, "u_cu")
    torch.testing.assert_close(found.encode(TEXTS, convert_to_tensor=True), expected(embeddings), atol=1e-4, rtol=0)

    def texts():
        raise AssertionError("read before the sizes were checked")
        yield

    with pytest.raises(ValueError, match="compresses"):
        sbert.with_fitted_head(str(tiny_bert), texts(), 999)
    with pytest.raises(DeviceUnavailableError):
        sbert.with_fitted_head(str(tiny_bert), texts(), 3, device="no.such", corrections=1)


def test_refusals(tiny_bert, corpus, tmp_path):
    """One line, and no folder."""
    arguments = ["fit", str(tiny_bert), str(corpus), "--out", str(tmp_path / "m"), "--k"]
    for rest, message in (
        (["3", "--merging", "prune"], "expected one of treelet, select"),
        (["999", "--max-tokens", "32"], "compresses"),
        (["3", "--max-tokens", "32", "--angles", "4"], "raise the budget"),
        (["3", "--max-tokens", "32", "--depth", "1"], "stages at least"),
        (["3", "--device", "braket.aws.qubit?shots=10", "--corrections", "1"], "can cost money"),
        (["3", "--max-tokens", "32", "--device", "no.such", "--corrections", "1"], "no.such"),
    ):
        result = CliRunner().invoke(app, [*arguments, *rest])
        assert result.exit_code == 1
        assert message in result.output.replace("\n", " ")
    assert not (tmp_path / "m").exists()


def test_a_model_is_replaced_only_when_told_to(tiny_bert, corpus, tmp_path):
    """Not by a second fit with the same --out, not while another fits, and not beside other results."""
    out = tmp_path / "m"
    arguments = ["fit", str(tiny_bert), str(corpus), "--out", str(out), "--max-tokens", "32", "--k"]

    def run(*rest, code=0):
        result = CliRunner().invoke(app, [*arguments, *rest])
        assert result.exit_code == code, result.output
        return " ".join(result.output.split())

    run("3")
    before = hybrid_qproj.load(out).head.out_features
    assert f"{out} is there already: it was not changed. Choose another folder, or replace it with --force" in run(
        "2", code=1
    )
    with exclusive(tmp_path / ".m.fit.lock", "another"):
        assert f"is being written by process {os.getpid()}" in run("2", "--force", code=1)
    assert hybrid_qproj.load(out).head.out_features == before == 3
    run("2", "--force")
    assert hybrid_qproj.load(out).head.out_features == 2
    (tmp_path / "m").rename(tmp_path / "old")
    out.mkdir()
    (out / "run.json").write_text("{}")
    assert "holds a training run; choose another folder for a saved model" in run("2", "--force", code=1)


def test_settings_are_checked_first(corpus, tmp_path):
    """Before the encoder is loaded, which is not even there."""
    arguments = ["fit", "no-such-encoder", str(corpus), "--k", "3", "--out", str(tmp_path / "m")]
    for rest, message in (
        (["--device", "nope"], "no device 'nope'"),
        (["--circuit", "rotr"], "did you mean 'rotor'"),
        (["--out", str(corpus)], "is a file; expected a folder"),
        (["--out", str(corpus / "m")], "is a file, no folder"),
    ):
        result = CliRunner().invoke(app, [*arguments, *rest])
        assert result.exit_code == 1
        assert message in " ".join(result.output.split())


def test_nothing_is_left_of_a_fit_that_failed(tiny_bert, corpus, tmp_path):
    """Not even the folders that the model was to lie in; those that were there stay."""
    (tmp_path / "there").mkdir()
    before = sorted(tmp_path.rglob("*"))
    for encoder, size in ((str(tmp_path / "none"), 3), (str(tiny_bert), 999)):
        with pytest.raises(ValueError, match=r"cannot be loaded|out_features=999"):
            run_fit(encoder, str(corpus), size, tmp_path / "there" / "a" / "b" / "model", max_tokens=16)
    assert sorted(tmp_path.rglob("*")) == before
