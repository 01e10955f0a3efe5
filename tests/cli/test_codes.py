"""encode --bytes: codes in place of angles, from text files to a run."""

from __future__ import annotations

import json

import pytest
import torch

pytest.importorskip("faiss", reason="needs the extra 'index'")
pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from typer.testing import CliRunner

from hybrid_qproj import QuantumProjection, load
from hybrid_qproj.cli import app
from hybrid_qproj.codec import Codec
from hybrid_qproj.index import AngleStore
from hybrid_qproj.sbert import with_head


@pytest.fixture(scope="module")
def model(tmp_path_factory, tiny_bert):
    folder = tmp_path_factory.mktemp("coded") / "model"
    torch.manual_seed(0)
    with_head(str(tiny_bert), QuantumProjection(24, 8, "rotor", plan="tree", init="random")).save(str(folder))
    return folder


@pytest.fixture
def run():
    def invoke(*arguments, code=0):
        result = CliRunner().invoke(app, list(map(str, arguments)))
        assert result.exit_code == code, result.output
        return result.output if code == 0 else result.stderr.strip().splitlines()[-1]

    return invoke


def _codes(folder):
    store = AngleStore(folder)
    return store.codec.fingerprint, store.ids, torch.cat([rows for _, rows in store.stored_chunks()])


def test_from_texts_to_documents(model, corpus, run, tmp_path):
    """Documents take the bytes that were asked for, and are ranked by the codec's scores."""
    out = tmp_path / "codes"
    assert "50 documents of 2 bytes" in run("encode", model, corpus, "--out", out, "--bytes", 2)
    found = json.loads(run("search", model, out, "cat dog", "--k", 5, "--engine", "exhaustive"))["documents"]
    store, encoder = AngleStore(out), load(model)
    query = torch.as_tensor(encoder.encode_query(["cat dog"]))
    scores = store.codec.scores(query, torch.cat([rows for _, rows in store.stored_chunks()]))[0]
    assert list(found.values()) == pytest.approx(scores.topk(5).values.tolist(), abs=1e-5)
    run("index", out)
    again = json.loads(run("search", model, out, "cat dog", "--k", 5))["documents"]
    assert list(again.values()) == pytest.approx(list(found.values()), abs=1e-5)


def test_interrupted_encoding_goes_on(model, corpus, run, tmp_path, monkeypatch):
    """With the same codec, to the same codes; so does a new store in the place of an old one."""
    run("encode", model, corpus, "--out", tmp_path / "whole", "--bytes", 2, "--shard", 20)
    add = AngleStore.add

    def breaks(after):
        calls = []

        def interrupted(self, ids, *rest, **options):
            calls.append(ids)
            if len(calls) > after:
                raise KeyboardInterrupt
            add(self, ids, *rest, **options)

        return interrupted

    run("encode", model, corpus, "--out", tmp_path / "angles", "--shard", 20)
    for out, more in (("parts", ()), ("angles", ("--update",))):
        arguments = ("encode", model, corpus, "--out", tmp_path / out, "--bytes", 2, "--shard", 20, *more)
        monkeypatch.setattr(AngleStore, "add", breaks(1))
        run(*arguments, code=130)
        monkeypatch.setattr(AngleStore, "add", add)
        run(*arguments)
        for one, other in zip(_codes(tmp_path / out), _codes(tmp_path / "whole"), strict=True):
            assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
    assert len(list((tmp_path / "angles").glob("codec-*"))) == 1


def test_documents_that_come_later(model, corpus, run, tmp_path):
    """Are coded by the codec that is there, whether the bytes are given again or not."""
    out = tmp_path / "codes"
    run("encode", model, corpus, "--out", out, "--bytes", 2, "--scheme", "pq4", "--sample", 40)
    codec = AngleStore(out).codec
    corpus.write_text(corpus.read_text() + "new1\tcat law\n")
    run("encode", model, corpus, "--out", out)
    corpus.write_text(corpus.read_text() + "new2\tcat sun\n")
    run("encode", model, corpus, "--out", out, "--bytes", 2, "--scheme", "pq4")
    assert AngleStore(out).codec.fingerprint == codec.fingerprint
    assert len(AngleStore(out)) == 52


def test_a_saved_codec(model, corpus, run, tmp_path):
    """Is taken as it is, if it is one of such angles."""
    encoder = load(model)
    outputs = torch.as_tensor(
        encoder.encode_document(["cat", "dog", "rain", "bank", "river", "money", "law", "sun", "cat dog", "sun law"])
    )
    Codec.fit(outputs, 1, "signs").save(tmp_path / "codec")
    run("encode", model, corpus, "--out", tmp_path / "codes", "--codec", tmp_path / "codec")
    assert AngleStore(tmp_path / "codes").bytes_per_document == 1
    Codec.fit(outputs, 1, "signs", head="0" * 32).save(tmp_path / "other")
    arguments = ("encode", model, corpus, "--out", tmp_path / "none", "--codec", tmp_path / "other")
    assert "outputs of another head" in run(*arguments, code=1)
    assert "holds no codec" in run(*arguments[:-1], tmp_path, code=1)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--bytes", 2, "--precision", "uint8"), "--precision and --bytes: documents are kept in one way"),
        (("--bytes", 2, "--codec", "x"), "--bytes and --codec: documents are kept in one way"),
        (("--scheme", "pq"), "--scheme: for a codec that is fitted; give its --bytes too"),
        (("--sample", 9), "--sample: for a codec that is fitted; give its --bytes too"),
        (("--bytes", 9), "'bits' gives outputs of 8 numbers no 9 bytes: 1 to 8 only"),
        (("--bytes", 1, "--scheme", "bit"), "no codec 'bit'; did you mean 'bits'?"),
    ],
)
def test_refused(model, corpus, run, tmp_path, options, message):
    """Before anything is encoded or written."""
    assert message in run("encode", model, corpus, "--out", tmp_path / "codes", *options, code=1)
    assert not (tmp_path / "codes").exists()


def test_another_kind_of_store(model, corpus, run, tmp_path):
    """Angles are not exchanged for codes, nor codes for others, unless that is asked for."""
    out = tmp_path / "store"
    run("encode", model, corpus, "--out", out)
    arguments = ("encode", model, corpus, "--out", out, "--bytes", 2)
    assert "holds 8 float32 angles of this model" in run(*arguments, code=1)
    assert "codes of 2 bytes (bits)" in run(*arguments, code=1)
    run(*arguments, "--update")
    assert AngleStore(out).bytes_per_document == 2
    assert "holds codes of 2 bytes (bits) of this model" in run(*arguments[:-1], 1, code=1)
    run("encode", model, corpus, "--out", out, "--precision", "float16", "--update")
    assert (AngleStore(out).precision, list(out.glob("codec-*"))) == ("float16", [])
