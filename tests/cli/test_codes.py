"""Encode, index and search with codes of a given number of bytes."""

from __future__ import annotations

import json

import pytest
import torch

pytest.importorskip("faiss", reason="needs the extra 'index'")
pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from sentence_transformers import SentenceTransformer
from typer.testing import CliRunner

from hybrid_qproj import ClassicalProjection, load
from hybrid_qproj.cli import app
from hybrid_qproj.cli.run.encode import run_encode
from hybrid_qproj.codec.codec import Codec
from hybrid_qproj.heads.fingerprint import head_fingerprint
from hybrid_qproj.index import AngleStore
from hybrid_qproj.index.coding import Coding, sample
from hybrid_qproj.retrieval.documents import Document
from hybrid_qproj.sbert import with_head

WORDS = ["cat", "dog", "rain", "bank", "river", "money", "law", "sun"]


@pytest.fixture
def corpus(tmp_path):
    lines = [f"d{i}\t{WORDS[i % 8]} {WORDS[(i // 8) % 8]} {WORDS[(i * 3) % 8]}\n" for i in range(50)]
    (tmp_path / "corpus.tsv").write_text("".join(lines))
    return tmp_path / "corpus.tsv"


@pytest.fixture
def run():
    def invoke(*arguments, code=0):
        result = CliRunner().invoke(app, list(map(str, arguments)))
        assert result.exit_code == code, result.output
        return " ".join(result.output.split())

    return invoke


def test_from_files_to_hits(model, corpus, run, tmp_path):
    """The index and the exhaustive engine find what the codec's scores rank first."""
    out = tmp_path / "codes"
    assert "50 documents of 4 bytes" in run("encode", model, corpus, "--out", out, "--bytes", 4)
    assert "flat index of 50 documents" in run("index", out, "--candidates", 12)
    encoder = load(model)
    texts = [line.split("\t")[1].strip() for line in corpus.read_text().splitlines()]
    outputs = encoder.encode(texts, convert_to_tensor=True)
    store = AngleStore(out)
    assert store.codec.head == head_fingerprint(encoder.head)
    expected = store.codec.scores(encoder.encode(["cat river"]), store.codec.encode(outputs)).topk(4).values[0]
    for engine in ("index", "exhaustive"):
        arguments = ["search", model, str(out), "cat river", "--k", "4", "--engine", engine]
        found = json.loads(CliRunner().invoke(app, arguments).stdout)["documents"]
        assert list(found.values()) == pytest.approx(expected.tolist(), abs=1e-4)


def test_interrupted_goes_on(model, corpus, run, tmp_path, monkeypatch):
    """To the same codes by the same codec, which is fitted once: in a new store and in one that replaces another."""
    run("encode", model, corpus, "--out", tmp_path / "whole", "--bytes", 4, "--shard", 20, "--sample", 30)
    run("encode", model, corpus, "--out", tmp_path / "other", "--shard", 20)
    whole = AngleStore(tmp_path / "whole")
    add, fit = AngleStore.add, Coding.fit
    for folder, update in (("cut", False), ("other", True)):
        calls, fits = [], []

        def interrupted(self, ids, *rest, calls=calls, **options):
            calls.append(ids)
            if len(calls) == 2:
                raise KeyboardInterrupt
            add(self, ids, *rest, **options)

        def counted(self, fits=fits):
            fits.append(self)
            return fit(self)

        with monkeypatch.context() as patch:
            patch.setattr(AngleStore, "add", interrupted)
            patch.setattr(Coding, "fit", counted)
            options = {"shard": 20, "size": 4, "sample": 30, "update": update}
            with pytest.raises(KeyboardInterrupt):
                run_encode(str(model), str(corpus), tmp_path / folder, **options)
            run_encode(str(model), str(corpus), tmp_path / folder, **options)
        assert len(fits) == 1
        cut = AngleStore(tmp_path / folder)
        assert (cut.ids, cut.codec.fingerprint) == (whole.ids, whole.codec.fingerprint)
        assert torch.equal(cut.gather_stored(torch.arange(50)), whole.gather_stored(torch.arange(50)))
        assert len(list((tmp_path / folder).glob("codec-*"))) == 1


def test_a_store_keeps_its_codec(model, corpus, run, tmp_path):
    """Documents that come later, with or without saying again what the store is of; other bytes are refused."""
    out = tmp_path / "codes"
    run("encode", model, corpus, "--out", out, "--bytes", 4)
    before = AngleStore(out).codec.fingerprint
    with corpus.open("a") as file:
        file.write("x1\tsun law\n")
    assert "51 documents of 4 bytes" in run("encode", model, corpus, "--out", out)
    with corpus.open("a") as file:
        file.write("x2\tlaw sun\n")
    run("encode", model, corpus, "--out", out, "--bytes", 4)
    assert AngleStore(out).codec.fingerprint == before
    message = run("encode", model, corpus, "--out", out, "--bytes", 2, code=1)
    assert "holds 'bits' codes of 4 bytes of this model" in message
    assert "'bits' codes of 2 bytes" in message
    assert "float16 angles" in run("encode", model, corpus, "--out", out, "--precision", "float16", code=1)
    assert "52 documents of 1 bytes" in run(
        "encode", model, corpus, "--out", out, "--bytes", 1, "--scheme", "itq", "--update"
    )


def test_a_saved_codec(model, corpus, run, tmp_path):
    """Is used as it is; one of another head is refused, and a damaged one."""
    encoder = load(model)
    outputs = encoder.encode([" ".join(WORDS[i:]) for i in range(8)], convert_to_tensor=True)
    codec = Codec.fit(outputs, 2, head=head_fingerprint(encoder.head))
    codec.save(tmp_path / "codec")
    run("encode", model, corpus, "--out", tmp_path / "a", "--codec", tmp_path / "codec")
    assert AngleStore(tmp_path / "a").codec.fingerprint == codec.fingerprint
    for head, message in ((None, "a head that it does not name"), ("0" * 32, "another head")):
        Codec.fit(outputs, 2, head=head).save(tmp_path / "wrong")
        assert message in run("encode", model, corpus, "--out", tmp_path / "b", "--codec", tmp_path / "wrong", code=1)
    assert "holds no codec" in run("encode", model, corpus, "--out", tmp_path / "b", "--codec", tmp_path, code=1)
    assert not (tmp_path / "b").exists()


def test_refusals(model, corpus, run, tmp_path):
    """Before anything is encoded or written."""
    out = tmp_path / "a"
    for options, message in (
        (("--bytes", 4, "--precision", "uint8"), "--precision and --bytes each say how documents are kept"),
        (("--bytes", 4, "--codec", "x"), "--bytes and --codec"),
        (("--scheme", "pq"), "say how many with --bytes"),
        (("--sample", 10), "say how many with --bytes"),
        (("--bytes", 100000), "gives outputs of"),
        (("--bytes", 4, "--scheme", "bit"), "did you mean 'bits'"),
    ):
        assert message in run("encode", model, corpus, "--out", out, *options, code=1)
    one = tmp_path / "one.tsv"
    one.write_text("d0\tcat\n")
    assert "2 documents at least; the corpus has 1" in run("encode", model, one, "--out", out, "--bytes", 4, code=1)
    assert not out.exists()


def test_vectors_compared_by_cosine(tiny_bert, corpus, run, tmp_path):
    """Other heads' outputs as codes, and found again."""
    encoder = SentenceTransformer(str(tiny_bert), device="cpu")
    width = encoder.get_embedding_dimension()
    with_head(encoder, ClassicalProjection(width, 8)).save_pretrained(str(tmp_path / "linear"))
    out = tmp_path / "codes"
    run("encode", tmp_path / "linear", corpus, "--out", out, "--bytes", 8)
    run("encode", tmp_path / "linear", corpus, "--out", out)
    arguments = ["search", str(tmp_path / "linear"), str(out), "cat cat cat", "--engine", "exhaustive"]
    found = json.loads(CliRunner().invoke(app, arguments).stdout)["documents"]
    assert found["d0"] == max(found.values()) == pytest.approx(1, abs=0.02)


def test_sample():
    """The same documents in any order, others by another seed."""
    corpus = [Document(str(number), "a text") for number in range(100)]
    chosen = sample(corpus, 10, 0)
    assert chosen == sample(reversed(corpus), 10, 0)
    assert chosen != sample(corpus, 10, 1)
    assert len(sample(corpus, 1000, 0)) == 100
