"""Judged passages: an id stands for one text, a pair has one grade."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_qproj.retrieval.collection import read_judged
from hybrid_qproj.retrieval.rules import DataError
from hybrid_qproj.retrieval.sources import open_source


def attempt(read, *arguments):
    """What is read, or what the error says."""
    try:
        return read(*arguments), None
    except DataError as error:
        return None, str(error)


def passage(docid="d1", rel=1, text="a cat"):
    return {"docid": docid, "rel": rel, "text": text}


def write(folder, *lines):
    path = folder / "j.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return str(path)


def line(qid="q1", *passages, query="cat"):
    return {"qid": qid, "query": query, "passages": list(passages or [passage()])}


def test_shared_passages(tmp_path):
    """One id under several queries is one text."""
    found = read_judged(write(tmp_path, line("q1"), line("q2", passage(rel=3), passage("d2", 0, "a dog"))))
    assert found.qrels == {"q1": {"d1": 1}, "q2": {"d1": 3, "d2": 0}}
    assert dict(found.documents) == {"d1": "a cat", "d2": "a dog"}


def test_local_ids(tmp_path):
    """Two texts under one id are an error with both lines and the way out, which keeps both texts apart."""
    path = write(tmp_path, line("q1"), line(2, passage(text="a dog")))
    with pytest.raises(
        DataError, match=r"j\.jsonl, line 2: document 'd1' has another text than in line 1; .*local_ids"
    ):
        read_judged(path)
    found = read_judged(path, local_ids=True)
    assert found.qrels == {"q1": {"q1:d1": 1}, "2": {"2:d1": 1}}
    assert dict(found.documents) == {"q1:d1": "a cat", "2:d1": "a dog"}
    # Two pairs of ids that would become one.
    with pytest.raises(DataError, match="line 2: document 'a:b:c' is one of line 1 too"):
        read_judged(write(tmp_path, line("a", passage("b:c")), line("a:b", passage("c"))), local_ids=True)


@pytest.mark.parametrize("rel", [0.9, 1.7, 1.0, True, False, None, "2", 2**31, [1]])
def test_grades(tmp_path, rel):
    """Whole numbers and nothing else."""
    with pytest.raises(DataError, match=r"j\.jsonl, line 2, document 'd1': grade "):
        read_judged(write(tmp_path, line("q0", passage("d0")), line("q1", passage(rel=rel))))


@pytest.mark.parametrize("rel", ["1e0", "1.5", "NaN", "01", "Infinity", "1_0"])
def test_literals(tmp_path, rel):
    """As JSON writes them."""
    text = json.dumps(line("q1", passage(rel=77))).replace("77", rel)
    with pytest.raises(DataError, match=r"j\.jsonl, line 1"):
        read_judged(write(tmp_path, text))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (line("q0"), "query 'q0' stands in line 1 too"),
        (line("q1", passage(), passage()), "document 'd1' stands there twice"),
        (line("q1", passage(rel=1), passage(rel=2)), "document 'd1' stands there twice"),
        (line("q1", query=None), "query 'q1': None; expected the query's text"),
        (line("q1", query=7), "expected the query's text, a string"),
        (line("q1", query="\ud800"), "half of a surrogate pair"),
        (line("q1", passage(text=None)), "document 'd1': None; expected the passage's text"),
        (line("q1", passage(text="\udfff")), "document 'd1': character 1"),
        (line(True), "expected the qid"),
        (line(None), "expected the qid"),
        (line(""), "not blank"),
        (line("q1", passage(1.5)), "expected the docid"),
        (line("q1", "text"), "a passage with 'text'; expected docid, rel and text"),
        (line("q1", {"docid": "d", "text": "x"}), "a passage with keys .*expected docid, rel and text"),
        ({"qid": "q1", "query": "x", "passages": {}}, "expected qid, query and passages"),
        ({"qid": "q1", "query": "x"}, "expected qid, query and passages"),
        ('{"qid": "q1", "qid": "q2", "query": "x", "passages": []}', "the key 'qid' stands there twice"),
    ],
)
def test_malformed(tmp_path, wrong, message):
    """With the line."""
    with pytest.raises(DataError, match=rf"j\.jsonl, line 2.*{message}"):
        read_judged(write(tmp_path, line("q0", passage("d0")), wrong))


def test_grades_are_replaced(tmp_path):
    """As in other collections; the new ones are whole numbers too."""
    path = write(tmp_path, line("q1", passage(rel=1), passage("d2", 2)))
    assert read_judged(path, {1: 4}).qrels == {"q1": {"d1": 4, "d2": 2}}
    with pytest.raises(DataError, match=r"grades to replace: grade 0\.5"):
        read_judged(path, {1: 0.5})


def test_as_a_source_of_documents(tmp_path):
    """Where documents are wanted, a judged file gives its passages."""
    path = write(tmp_path, line("q1", passage(), passage("d2", 0, "a dog")))
    assert [document.id for document in open_source(path)] == ["d1", "d2"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b", ""]),
        lambda x: st.lists(x, max_size=2) | st.dictionaries(st.sampled_from(["docid", "rel", "text"]), x),
        max_leaves=6,
    )
)
@settings(max_examples=60)
def test_any_passages(tmp_path_factory, value):
    """A collection, or an error with the file's name."""
    path = write(tmp_path_factory.mktemp("judged"), {"qid": "q", "query": "x", "passages": value})
    found, error = attempt(read_judged, path)
    assert "j.jsonl" in error if error else all(type(grade) is int for grade in found.qrels["q"].values())
