"""What `encode`, `fit` and `search` take from the command line: a file, a name, or a query's text."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("faiss", reason="needs the extra 'index'")
pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from typer.testing import CliRunner

from hybrid_qproj.cli import app
from hybrid_qproj.cli.run.search import given_queries, read_queries
from hybrid_qproj.errors import DataError
from hybrid_qproj.index import AngleStore


def invoke(*arguments, code=0):
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        "cat",
        "cats and dogs",
        "word " * 200,
        "x" * 400,
        "TCP/IP in practice",
        "what is 1.5",
        "and or?",
        "c'est où",
        "a\nb",
    ],
)
def test_texts(here, text):
    """Whatever its length, and with a separator of paths among several words."""
    assert given_queries(text) == {"query": text}


@pytest.mark.parametrize(
    "text", ["nofile.tsv", "queries.jsonl.gz", "no/file", "./queries", "../q q", "my queries.tsv", "topics.TXT", "a\\b"]
)
def test_names_of_files_that_are_missing(here, text):
    """An error that says how to search for it all the same."""
    with pytest.raises(DataError, match=r"no file of queries .*--text"):
        given_queries(text)
    assert given_queries(text, text=True) == {"query": text}


def test_files_and_folders(here):
    """A file is read, unless it is said to be a text; a folder is none of queries."""
    (here / "cat").write_text("q1\ta\n")
    (here / "dog").mkdir()
    assert given_queries("cat") == {"q1": "a"}
    assert given_queries("cat", text=True) == {"query": "cat"}
    with pytest.raises(DataError, match="no file of queries 'dog'"):
        given_queries("dog")


@pytest.mark.parametrize("text", ["", " ", "\t\n", "\u00a0"])
def test_blank_queries(here, text):
    """A blank query has no answer, from the command line or a file."""
    for flag in (False, True):
        with pytest.raises(DataError, match="the query is blank"):
            given_queries(text, flag)
    (here / "q.jsonl").write_text(json.dumps({"_id": "q1", "text": text}) + "\n")
    with pytest.raises(DataError, match=r"q\.jsonl: query 'q1' is blank"):
        read_queries("q.jsonl")


def test_half_a_surrogate_pair(here):
    """As the shell gives bytes that are no UTF-8."""
    with pytest.raises(DataError, match="half of a surrogate pair"):
        given_queries("cat \udcff")


def test_queries_are_read_as_queries(here):
    """Of a JSONL its text, as everywhere; no query is lost to another of its id."""
    (here / "q.jsonl").write_text('{"_id": 1, "title": "no", "text": "cat"}\n{"_id": "1", "text": "dog"}\n')
    with pytest.raises(DataError, match=r"q\.jsonl, line 2: query '1' stands there twice, first in line 1"):
        read_queries("q.jsonl")
    (here / "q.jsonl").write_text('\ufeff{"_id": 1, "title": "no", "text": "cat"}\n')
    assert read_queries(here / "q.jsonl") == {"1": "cat"}


def test_search(model, here):
    """One line of error and exit code 1; ids that a run cannot hold are named before anything is computed."""
    (here / "c.tsv").write_text("d1\tcat\nd2\tdog\n")
    invoke("encode", model, "c.tsv", "--out", "angles")
    assert "no file of queries 'nofile.tsv'" in invoke(
        "search", model, "angles", "nofile.tsv", "--engine", "exhaustive", code=1
    )
    assert "the query is blank" in invoke("search", model, "angles", "", "--engine", "exhaustive", code=1)
    # Progress goes to standard error.
    result = CliRunner().invoke(app, ["search", model, "angles", "nofile.tsv", "--text", "--engine", "exhaustive"])
    assert len(json.loads(result.stdout)["documents"]) == 2
    invoke("search", model, "angles", "cat " * 100, "--engine", "exhaustive")
    (here / "q.tsv").write_text("q 1\tcat\n")
    output = invoke("search", "no model", "no angles", "q.tsv", "--out", "a.run", code=1)
    assert "q.tsv: 'q 1' cannot stand in a TREC run" in output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no file 'c.tsv'"),
        ("", "c.tsv has no documents"),
        ("no tab\n", "c.tsv, line 1: 'no tab'; expected an id"),
    ],
)
def test_what_cannot_be_encoded(model, tiny_bert, here, content, message):
    """An error in one line, and no folder is left behind."""
    if content is not None:
        (here / "c.tsv").write_text(content)
    before = sorted(here.iterdir())
    assert message in invoke("encode", model, "c.tsv", "--out", "angles", code=1)
    assert message in invoke("fit", tiny_bert, "c.tsv", "--k", 4, "--out", "fitted", code=1)
    assert sorted(here.iterdir()) == before


def test_missing_datasets(model, tiny_bert, here):
    """A misspelt id of ir_datasets, likewise."""
    pytest.importorskip("ir_datasets", reason="needs the extra 'eval'")
    before = sorted(here.iterdir())
    for command in (("encode", model), ("fit", tiny_bert, "--k", 4)):
        output = invoke(*command[:2], "cranfeld", *command[2:], "--out", "out", code=1)
        assert "did you mean 'cranfield'" in output
    assert sorted(here.iterdir()) == before


def test_what_can_be_encoded(model, tiny_bert, here):
    """What an experiment's configuration takes: a BEIR folder, judged passages, the Lee corpus."""
    (here / "beir").mkdir()
    (here / "beir" / "corpus.jsonl").write_text(
        "".join(json.dumps({"_id": i, "text": f"cat {i}"}) + "\n" for i in range(9))
    )
    passages = [{"docid": f"d{i}", "rel": i, "text": f"dog {i}"} for i in range(3)]
    (here / "judged.jsonl").write_text(json.dumps({"qid": "q", "query": "cat", "passages": passages}) + "\n")
    invoke("encode", model, "beir", "--out", "a")
    invoke("encode", model, "judged.jsonl", "--out", "b")
    assert AngleStore("a").ids == [str(i) for i in range(9)]
    assert AngleStore("b").ids == ["d0", "d1", "d2"]
    invoke("fit", tiny_bert, "beir", "--k", 4, "--out", "fitted", "--max-tokens", 16)
    pytest.importorskip("gensim", reason="needs the extra 'demo'")
    invoke("encode", model, "lee", "--out", "c")
    assert AngleStore("c").ids == [str(i) for i in range(50)]


def test_duplicates_in_a_corpus(model, here):
    """With both lines, before the shard that they are in is written."""
    (here / "c.tsv").write_text("d1\tcat\nd2\tdog\nd1\tcat\n")
    output = invoke("encode", model, "c.tsv", "--out", "angles", code=1)
    assert "c.tsv, line 3: the id 'd1' came before, in c.tsv, line 1" in output
