"""Encode, index, search: from text files to a TREC run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

pytest.importorskip("faiss", reason="needs the extra 'index'")
pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from sentence_transformers import SentenceTransformer
from typer.testing import CliRunner

from hybrid_qproj import ClassicalProjection, QuantumProjection, load
from hybrid_qproj.cli import app
from hybrid_qproj.cli.run import encode, search
from hybrid_qproj.index import AngleStore
from hybrid_qproj.retrieval.trec import read_run
from hybrid_qproj.sbert import with_head


@pytest.fixture
def run():
    def invoke(*arguments, code=0):
        result = CliRunner().invoke(app, list(map(str, arguments)))
        assert result.exit_code == code, result.output
        return result.output

    return invoke


def test_from_files_to_a_run(model, corpus, run, tmp_path):
    """The run holds what the model's own similarity ranks first."""
    out = tmp_path / "angles"
    assert "50 documents of" in run("encode", model, corpus, "--out", out, "--precision", "float16")
    assert "flat index of 50 documents" in run("index", out)
    (tmp_path / "queries.tsv").write_text("q1\tcat river\nq2\tmoney law\n")
    run("search", model, out, tmp_path / "queries.tsv", "--k", 3, "--out", tmp_path / "a.run")
    found = read_run(tmp_path / "a.run")
    encoder = load(model)
    texts = [line.split("\t")[1].strip() for line in corpus.read_text().splitlines()]
    scores = encoder.similarity(encoder.encode(["cat river", "money law"]), encoder.encode(texts))
    for query, row in zip(("q1", "q2"), scores, strict=True):
        best = row.topk(3).values
        assert sorted(found[query].values(), reverse=True) == pytest.approx(best.tolist(), abs=0.05)


def test_one_query_as_json(model, corpus, run, tmp_path):
    """A text in place of a file."""
    run("encode", model, corpus, "--out", tmp_path / "angles")
    run("index", tmp_path / "angles", "--kind", "hnsw")
    # Progress goes to standard error, so that the output is JSON and nothing else.
    result = CliRunner().invoke(app, ["search", str(model), str(tmp_path / "angles"), "cat dog", "--k", "4"])
    line = json.loads(result.stdout)
    assert line["query"] == "query"
    assert len(line["documents"]) == 4


def test_interrupted_encoding_goes_on(model, corpus, run, tmp_path, monkeypatch):
    """To the same angles as an uninterrupted run, without encoding twice what is on disk."""
    run("encode", model, corpus, "--out", tmp_path / "whole", "--shard", 20)
    add, calls = AngleStore.add, []

    def interrupted(self, ids, *rest, **options):
        calls.append(ids)
        if len(calls) == 2:
            raise KeyboardInterrupt
        add(self, ids, *rest, **options)

    with monkeypatch.context() as patch:
        patch.setattr(AngleStore, "add", interrupted)
        with pytest.raises(KeyboardInterrupt):
            encode.run_encode(str(model), str(corpus), tmp_path / "cut", shard=20)
    assert AngleStore(tmp_path / "cut").rows == 20
    run("encode", model, corpus, "--out", tmp_path / "cut", "--shard", 20)
    whole, cut = AngleStore(tmp_path / "whole"), AngleStore(tmp_path / "cut")
    assert cut.ids == whole.ids
    assert torch.equal(cut.gather(torch.arange(50)), whole.gather(torch.arange(50)))
    # A corpus that begins otherwise is another one.
    corpus.write_text("x\ta\n" + corpus.read_text())
    assert "holds another corpus: document 0 is 'd0', here 'x'" in run(
        "encode", model, corpus, "--out", tmp_path / "cut", "--shard", 20, code=1
    )
    assert "choose another folder" in run(
        "encode", model, corpus, "--out", tmp_path / "cut", "--precision", "uint8", code=1
    ).replace("\n", " ")


def test_refusals(model, tiny_bert, corpus, run, tmp_path):
    """Heads that give no angles, unknown precisions and kinds, no index."""
    encoder = SentenceTransformer(str(tiny_bert), device="cpu")
    width = encoder.get_embedding_dimension()
    with_head(encoder, ClassicalProjection(width, 4)).save_pretrained(str(tmp_path / "linear"))
    assert "is compared by cosine" in run("encode", tmp_path / "linear", corpus, "--out", tmp_path / "a", code=1)
    assert "expected one of float32" in run(
        "encode", model, corpus, "--out", tmp_path / "a", "--precision", "int8", code=1
    )
    run("encode", model, corpus, "--out", tmp_path / "a")
    assert "expected one of flat, ivf, ivfpq, hnsw" in run("index", tmp_path / "a", "--kind", "trie", code=1)
    assert "has no index" in run("search", model, tmp_path / "a", "cat", code=1)


def test_engines(model, corpus, run, tmp_path):
    """Exhaustive search needs no index; unknown engines are named."""
    out = tmp_path / "angles"
    assert "expected one of local, ray" in run("encode", model, corpus, "--out", out, "--engine", "spark", code=1)
    run("encode", model, corpus, "--out", out)
    assert "expected one of index, exhaustive, ray" in run("search", model, out, "cat", "--engine", "x", code=1)
    exhaustive = CliRunner().invoke(app, ["search", str(model), str(out), "cat dog", "--engine", "exhaustive"])
    run("index", out)
    indexed = CliRunner().invoke(app, ["search", str(model), str(out), "cat dog"])
    assert json.loads(exhaustive.stdout)["documents"] == pytest.approx(
        json.loads(indexed.stdout)["documents"], abs=1e-5
    )


def test_queries_and_documents_have_their_prompts(tiny_bert, tmp_path):
    """The store holds documents as encode_document gives them, and a search compares encode_query's angles."""
    base = SentenceTransformer(str(tiny_bert), prompts={"query": "the state ", "document": "a mat "}, device="cpu")
    encoder = with_head(base, QuantumProjection(24, 8, "rotor", init="random", scale=2.0))
    encoder.save_pretrained(str(tmp_path / "model"))
    texts = ["a cat", "the quantum state", "on the mat", "state on a cat"]
    (tmp_path / "corpus.tsv").write_text("".join(f"d{i}\t{text}\n" for i, text in enumerate(texts)))
    encode.run_encode(str(tmp_path / "model"), str(tmp_path / "corpus.tsv"), tmp_path / "store")
    (line,) = search.run_search(str(tmp_path / "model"), tmp_path / "store", "a cat", k=4, engine="exhaustive")
    found = json.loads(line)["documents"]
    expected = encoder.similarity(encoder.encode_query("a cat"), encoder.encode_document(texts))[0]
    assert [found[f"d{i}"] for i in range(4)] == pytest.approx(expected.tolist(), abs=1e-4)
    assert expected.tolist() != pytest.approx(
        encoder.similarity(encoder.encode("a cat"), encoder.encode(texts))[0].tolist(), abs=1e-2
    )


def test_update(model, corpus, run, tmp_path):
    """On the command line: refused in one line with what to do, then done."""
    out = tmp_path / "angles"
    run("encode", model, corpus, "--out", out)
    corpus.write_text(corpus.read_text().replace("d3\t", "d3\tsun "))
    refused = run("encode", model, corpus, "--out", out, code=1)
    assert "document 'd3' has another text" in refused.replace("\n", " ")
    assert "--update" in refused
    assert "50 documents of" in run("encode", model, corpus, "--out", out, "--update")
    assert AngleStore(out).rows == 51


def test_what_is_seen_before_any_work(model, corpus, run, tmp_path, monkeypatch):
    """No model is loaded for a run that cannot end well."""
    out = tmp_path / "angles"
    run("encode", model, corpus, "--out", out)
    run("index", out)
    for command in (encode, search):
        monkeypatch.setattr(command, "load", lambda *_, **__: 1 / 0)
    for arguments in (
        ("encode", model, corpus, "--out", out, "--precision", "int8"),
        ("encode", model, corpus, "--out", out, "--engine", "spark"),
        ("encode", model, tmp_path / "corpus.txt", "--out", out, "--engine", "spark"),
        ("search", model, tmp_path / "none", "cat"),
        ("search", model, out, "cat", "--engine", "none"),
        ("search", model, out, "cat", "--out", tmp_path / "none" / "a.run"),
        ("search", model, out, "cat", "--out", tmp_path),
    ):
        assert "error:" in run(*arguments, code=1)
    (out / "index.faiss").write_bytes(b"x")
    assert "build it again" in run("search", model, out, "cat", code=1).replace("\n", " ")


def test_options_that_would_do_nothing(model, corpus, run, tmp_path):
    """What an engine or an index does not have is refused, not ignored."""
    out = tmp_path / "angles"
    error = run("encode", model, corpus, "--out", out, "--workers", 2, code=1)
    assert "workers=2 is for a Ray cluster; engine 'local' has none" in error
    assert not out.exists()
    run("encode", model, corpus, "--out", out)
    run("index", out)
    for options, message in (
        (("--workers", 2), "engine 'index' has none"),
        (("--engine", "exhaustive", "--effort", 2), "engine 'exhaustive' has none"),
        (("--effort", 2), "has a flat index"),
    ):
        assert message in run("search", model, out, "cat", *options, code=1)
    run("index", out, "--kind", "hnsw")
    run("search", model, out, "cat", "--effort", 8)


def test_angles_go_to_a_folder_of_their_own(model, corpus, run, tmp_path):
    """Not between the files of a model, and not to a file: seen before the corpus is read."""
    before = sorted(path.name for path in Path(model).iterdir())
    assert "holds a saved model; choose another folder" in run("encode", model, corpus, "--out", model, code=1)
    assert sorted(path.name for path in Path(model).iterdir()) == before
    assert "is a file; expected a folder" in run("encode", model, corpus, "--out", corpus, code=1)
    assert "is a file" in run("encode", model, corpus, "--out", corpus / "angles", code=1)


def test_what_no_run_can_hold_is_seen_before_any_search(model, run, tmp_path, monkeypatch):
    """A document's id with a space; and queries stay what they are."""
    corpus, out, queries = tmp_path / "a.tsv", tmp_path / "angles", tmp_path / "q.tsv"
    corpus.write_text("d 1\tcat\nd2\tdog\n")
    queries.write_text("q1\tcat\n")
    run("encode", model, corpus, "--out", out)
    run("index", out)
    monkeypatch.setattr(search, "load", lambda *_, **__: pytest.fail("the model was loaded"))
    assert "'d 1' cannot stand in a TREC run" in run("search", model, out, queries, "--out", tmp_path / "r", code=1)
    assert "is the file of queries" in run("search", model, out, queries, "--out", queries, code=1)
    assert queries.read_text() == "q1\tcat\n"
