"""Datasets of ir_datasets: the same rules as for files, and one line for whatever goes wrong."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("ir_datasets", reason="needs the extra 'eval'")

import ir_datasets

from hybrid_qproj.retrieval.collection import check_documents, drops_self, load_collection
from hybrid_qproj.retrieval.datasets import IrDocuments
from hybrid_qproj.retrieval.labelled import docpair_examples
from hybrid_qproj.retrieval.protocols import make_test_set
from hybrid_qproj.retrieval.rules import DataError
from hybrid_qproj.retrieval.sources import open_source


def document(name, text="text"):
    return SimpleNamespace(doc_id=name, default_text=lambda: text)


def query(name, text="text"):
    return SimpleNamespace(query_id=name, default_text=lambda: text)


def judgement(query_id, doc_id, relevance=1):
    return SimpleNamespace(query_id=query_id, doc_id=doc_id, relevance=relevance)


def pair(query_id, better, worse):
    return SimpleNamespace(query_id=query_id, doc_id_a=better, doc_id_b=worse)


def fails(error):
    def stream():
        raise error
        yield

    return stream


@pytest.fixture
def dataset(monkeypatch):
    """A dataset that is there under any name, in parts that a test may replace."""
    parts = {
        "docs": [document("d1"), document("d2", "other")],
        "queries": [query("q1")],
        "qrels": [judgement("q1", "d1")],
        "docpairs": [],
    }
    fake = SimpleNamespace(docs_count=lambda: 10)

    def replace(**new):
        parts.update(new)
        for name, rows in parts.items():
            setattr(fake, f"{name}_iter", rows if callable(rows) else lambda rows=rows: iter(rows))
            setattr(fake, f"has_{name}", lambda rows=rows: rows is not None)

    replace()
    monkeypatch.setattr(ir_datasets, "load", lambda name: fake)
    return replace


def test_rows_are_read(dataset):
    """Documents, queries, judgements."""
    collection = load_collection("mine")
    assert (collection.queries, collection.qrels) == ({"q1": "text"}, {"q1": {"d1": 1}})
    assert dict(collection.documents) == {"d1": "text", "d2": "other"}
    assert collection.documents.get(["d2", "d9"]) == {"d2": "other"}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"queries": [query("q1"), query("q1")]}, "mine: query 'q1' is there twice"),
        ({"queries": [query("q1", None)]}, "mine, query 'q1': None; expected its text"),
        ({"queries": [query("q1", "\ud800")]}, "mine, query 'q1': character 1"),
        ({"queries": [query("")]}, "not blank"),
        ({"queries": None}, "mine has no queries"),
        ({"qrels": [judgement("q1", "d1"), judgement("q1", "d1")]}, "'d1' is judged twice for query 'q1'"),
        ({"qrels": [judgement("q1", "d1", 0.9)]}, "query 'q1', document 'd1': grade 0.9"),
        ({"qrels": [judgement("q1", "d1", True)]}, "grade True"),
        ({"qrels": [judgement("q1", "d1", 2**31)]}, "at most 1,000,000"),
        ({"qrels": fails(KeyError("x"))}, "ir_datasets cannot read the judgements of 'mine' .KeyError: 'x'."),
        ({"queries": fails(FileNotFoundError("gone"))}, "cannot read the queries of 'mine' .FileNotFoundError: gone."),
    ],
)
def test_malformed_datasets(dataset, parts, message):
    """Queries and judgements."""
    dataset(**parts)
    with pytest.raises(DataError, match=message):
        load_collection("mine")


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        (
            [document("d1"), document("d2"), document("d1")],
            "mine, document 3: the id 'd1' came before, in mine, document 1",
        ),
        ([document("d1", None)], "mine, document 'd1': None; expected its text"),
        ([document("d1", "\udc00")], "document 'd1': character 1"),
        ([document(7)], "mine, document 1: 7; expected its id"),
        ([], "mine has no documents"),
        (None, "mine of ir_datasets has no documents"),
        (fails(RuntimeError("All download sources failed")), "cannot read the documents of 'mine' .RuntimeError: All"),
    ],
)
def test_malformed_documents(dataset, documents, message):
    """Found wherever the corpus is read: streamed, looked up, opened by its name, ranked."""
    dataset(docs=documents)
    for read in (
        lambda: list(IrDocuments("mine")),
        lambda: IrDocuments("mine").get(["d1"]),
        lambda: list(open_source("mine")),
        lambda: check_documents(load_collection("mine")),
        lambda: make_test_set(load_collection("mine"), "judged"),
        lambda: make_test_set(load_collection("mine"), "retrieve"),
    ):
        with pytest.raises(DataError, match=message):
            read()


def test_names():
    """A misspelt one gets suggestions, a file that is missing is called one, and a long text ends in no other error."""
    for read in (load_collection, open_source):
        with pytest.raises(DataError, match=r"'cranfeld' is no file, and neither .* did you mean 'cranfield'"):
            read("cranfeld")
        with pytest.raises(DataError, match="is no file, and neither a folder nor a dataset"):
            read("x" * 500)


def test_large_corpora_are_looked_up(dataset, monkeypatch):
    """Above a million documents, by the dataset's own index."""
    fake = ir_datasets.load("mine")
    monkeypatch.setattr(fake, "docs_count", lambda: 2 * 10**6)
    store = SimpleNamespace(get_many=lambda names: {"d1": document("d1", "stored")})
    monkeypatch.setattr(fake, "docs_store", lambda: store, raising=False)
    assert IrDocuments("mine").get(["d1", "d9"]) == {"d1": "stored"}


def test_docpairs(dataset):
    """One document cannot be both."""
    dataset(docpairs=[pair("q1", "d1", "d2")])
    (example,) = docpair_examples("mine", 1).items
    assert example == ("text", "text", ("other",))
    dataset(docpairs=[pair("q1", "d1", "d1")])
    with pytest.raises(DataError, match="document 'd1' both answers query 'q1' and does not"):
        docpair_examples("mine", 1)
    dataset(docpairs=fails(OSError("no network")))
    with pytest.raises(DataError, match="cannot read the docpairs of 'mine'"):
        docpair_examples("mine", 1)


def test_own_documents_of_beir(dataset):
    """BEIR drops the hit with the query's own id, whatever the collection."""
    dataset(docs=[document("q1"), document("d1")])
    assert load_collection("beir/arguana").drop_self
    assert not load_collection("cranfield").drop_self
    assert make_test_set(load_collection("beir/arguana"), "retrieve").drop_self
    assert drops_self("lee")
    assert not drops_self(None)
    assert not drops_self("lee-background")
