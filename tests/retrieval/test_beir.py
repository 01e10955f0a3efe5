"""BEIR's folders, read and measured as BEIR does."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

pytest.importorskip("pytrec_eval", reason="needs the extra 'eval'")
pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from hybrid_qproj.heads.fixed import Uncompressed
from hybrid_qproj.retrieval.collection import Collection, load_collection, read_collection
from hybrid_qproj.retrieval.documents import MemoryDocuments
from hybrid_qproj.retrieval.measures import evaluate_run
from hybrid_qproj.retrieval.protocols import make_test_set, rank
from hybrid_qproj.retrieval.rules import DataError
from hybrid_qproj.retrieval.sources import open_source
from hybrid_qproj.sbert import Encoder, ProjectionHead
from hybrid_qproj.text.embeddings.table import EmbeddingTable

CORPUS = {"a": "a claim", "b": "its counterclaim"}
BOM = "\ufeff"


def write(folder, corpus, queries, qrels, suffix=""):
    (folder / "qrels").mkdir(parents=True)
    files = {
        "corpus.jsonl": "".join(json.dumps({"_id": i, "title": "", "text": t}) + "\n" for i, t in corpus.items()),
        "queries.jsonl": "".join(json.dumps({"_id": i, "text": t}) + "\n" for i, t in queries.items()),
        "qrels/test.tsv": "query-id\tcorpus-id\tscore\n" + "".join(f"{q}\t{d}\t{g}\n" for q, d, g in qrels),
    }
    for name, text in files.items():
        content = (BOM + text).encode()
        (folder / (name + suffix)).write_bytes(gzip.compress(content) if suffix else content)
    return folder


@pytest.fixture
def arguana(tmp_path):
    """Queries that are documents of their own corpus."""
    return write(tmp_path / "arguana", CORPUS, {"a": CORPUS["a"]}, [("a", "b", 1)])


@pytest.mark.parametrize(("drop_self", "expected"), [(None, 1.0), (True, 1.0), (False, 0.6309297535714575)])
def test_the_own_document_is_dropped(arguana, drop_self, expected):
    """As BEIR does by default: 1.0; kept, the query finds itself first: 1 / log2(3)."""
    table = EmbeddingTable.of(list(CORPUS.values()), np.array([[1, 0], [0.6, 0.8]], dtype=np.float32))
    encoder = Encoder(modules=[table, ProjectionHead(Uncompressed(2))], device="cpu")
    test = make_test_set(load_collection(arguana), "retrieve", drop_self=drop_self)
    run = rank(encoder, test)
    assert evaluate_run(test.qrels, run, ["NDCG@10"])["NDCG@10"]["a"] == pytest.approx(expected)
    assert any("1 of 1 queries have the id of a document" in problem for problem in test.problems)


def test_loose_files_keep_it_and_say_so(arguana):
    """Files say nothing of where they come from: nothing is dropped, and that is said."""
    collection = read_collection(*(arguana / name for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv")))
    test = make_test_set(collection, "retrieve")
    assert not test.drop_self
    assert "drop_self = true leaves it out" in test.problems[0]


def test_nothing_is_said_where_no_ids_coincide(tmp_path):
    """A collection like most."""
    folder = write(tmp_path / "other", CORPUS, {"q": "?"}, [("q", "a", 1)])
    assert make_test_set(load_collection(folder), "retrieve").problems == ()


def test_compressed_folder(tmp_path):
    """All files with .gz, a byte-order mark in each, ids with spaces."""
    folder = write(tmp_path / "packed", {"d 1": "x"}, {"q 1": "y"}, [("q 1", "d 1", 2)], ".gz")
    collection = load_collection(str(folder))
    assert (collection.queries, collection.qrels) == ({"q 1": "y"}, {"q 1": {"d 1": 2}})
    assert dict(collection.documents) == dict(open_source(str(folder))) == {"d 1": "x"}


def test_duplicates(arguana):
    """Found whatever the protocol, with file and lines."""
    with (arguana / "corpus.jsonl").open("a") as file:
        file.write('{"_id": "b", "text": "its counterclaim"}\n')
    for protocol in ("retrieve", "judged"):
        with pytest.raises(
            DataError, match=r"corpus\.jsonl, line 3: the id 'b' came before, in .*corpus\.jsonl, line 2"
        ):
            make_test_set(load_collection(arguana), protocol)


def test_what_is_missing(arguana):
    """Splits that there are are named; a folder of something else is no collection."""
    with pytest.raises(DataError, match=r"no file .*dev\.tsv'; there are test\.tsv"):
        load_collection(arguana, "dev")
    (arguana / "corpus.jsonl").unlink()
    for read in (load_collection, open_source):
        with pytest.raises(DataError, match=r"is a folder without corpus\.jsonl"):
            read(str(arguana))
    with pytest.raises(DataError, match="give both or none"):
        read_collection(arguana / "corpus.jsonl", None, arguana / "qrels" / "test.tsv")


@pytest.mark.parametrize(
    ("queries", "qrels", "message"),
    [
        ({"q": None}, {}, "query 'q': None; expected its text"),
        ({"q": "\ud800"}, {}, "surrogate"),
        ({1: "a"}, {}, "expected the id of a query"),
        ({"q": "a"}, {"q": {"d": 1.0}}, "judgements of query 'q', document 'd': grade 1.0"),
        ({"q": "a"}, {"q": {"d": True}}, "grade True"),
        ({"q": "a"}, {"q": {"": 1}}, "not blank"),
    ],
)
def test_collections_in_memory(queries, qrels, message):
    """The same rules as for files."""
    with pytest.raises(DataError, match=f"mine.*{message}"):
        Collection("mine", MemoryDocuments({"d": "x"}), queries, qrels)


@pytest.mark.parametrize("name", ["corpsu.tsv", "./corpus", "/none/corpus.jsonl.gz", "corpus.csv"])
def test_names_of_files_that_are_missing(name, tmp_path, monkeypatch):
    """Are no datasets; files of nearly the same name are named."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus.tsv").write_text("d1\ta\n")
    with pytest.raises(
        DataError, match=rf"no file '{name}'" + ("; did you mean 'corpus.tsv'" if "/none" not in name else "")
    ):
        open_source(name)


def test_blank_names(arguana, monkeypatch):
    """Are not the working directory's collection."""
    monkeypatch.chdir(arguana)
    for read in (load_collection, open_source):
        with pytest.raises(DataError, match="the name of a collection is blank"):
            read(" ")
    assert load_collection(".").queries == {"a": "a claim"}
