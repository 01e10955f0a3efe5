"""Queries in three formats: nothing is lost, nothing is guessed."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_qproj.retrieval.rules import DataError
from hybrid_qproj.retrieval.topics import read_topics

BOM = "\ufeff"
ONE = "<top>\n<num> Number: 1\n<title> cats\n</top>\n"


def attempt(read, *arguments):
    """What is read, or what the error says."""
    try:
        return read(*arguments), None
    except DataError as error:
        return None, str(error)


def write(folder, text, name="topics"):
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return str(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BOM + "q1\ta\nq2\tb\n", {"q1": "a", "q2": "b"}),
        ("q 1\ta\tb\n", {"q 1": "a\tb"}),
        ("q\u00a01\ta\u2028b\n", {"q\u00a01": "a\u2028b"}),
        ("q1\twhat does <top> mean\n", {"q1": "what does <top> mean"}),
        ("<top>\ta\n", {"<top>": "a"}),
        (BOM + ONE, {"1": "cats"}),
        ("<top><num>1</num><title>a</title></top><top><num>2</num><title>b</title></top>\n", {"1": "a", "2": "b"}),
        ("<TOP>\n<NUM>1\n<TITLE>a\n</TOP>\n", {"1": "a"}),
        ("<top><num>1</num><title>is a < b?</title></top>", {"1": "is a < b?"}),
        ("<top>\n<num> 1\n<dom> Domain: Law\n<title> Topic: cats\n<desc> dogs\n</top>", {"1": "cats"}),
        ("<top>\n<num> 1\n<title> cats <desc> dogs\n</top>", {"1": "cats"}),
        ("<top>\n<title> cats\n<num> 1\n</top>", {"1": "cats"}),
        ("<top><num>1</num><title>cats\u00a0and\n  dogs\u2028x</title></top>", {"1": "cats\u00a0and dogs\u2028x"}),
        ('<?xml version="1.0"?>\n<topics>\n' + ONE + "<!-- the end -->\n</topics>\n", {"1": "cats"}),
    ],
)
@pytest.mark.parametrize("name", ["topics", "topics.gz"])
def test_formats(tmp_path, text, expected, name):
    """A byte-order mark, ids with spaces, topics on one line, titles over several lines or with a less-than sign."""
    assert read_topics(write(tmp_path, text, name)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ONE + "<top>\n<num> 2\n<title> dogs\n", "line 5: a topic without its end </top>"),
        ("<top>\n<num> 1\n<title> a\n" + ONE, "line 1: a topic without its end </top>"),
        (ONE + "<num> 2\n<title> dogs\n</top>\n", "line 5: .* outside of a topic"),
        (ONE + "dogs\n" + ONE.replace("1", "2"), "line 5: 'dogs' outside of a topic"),
        (ONE + ONE, "line 5: query '1' stands there twice, first in line 1"),
        ("<top><num>1</num><num>2</num><title>a</title></top>", "a topic with <num> twice"),
        ("<top><num>1</num><title> </title></top>", "a topic without <num> and <title>"),
        ("<top><num>1 2</num><title>a</title></top>", "'1 2' cannot stand in a TREC run"),
        ("<topics></topics>", "outside of a topic|holds no queries"),
        ("q1\ta\nq1\ta\n", "line 2: query 'q1' stands there twice, first in line 1"),
        ("q1 a\n", "line 1: 'q1 a'; expected an id, a tab and the query"),
        ("\ta\n", "line 1: .*expected an id"),
        (" \ta\n", "not blank"),
        ("\n\n", "holds no queries"),
    ],
)
def test_malformed(tmp_path, text, message):
    """Each with file and line."""
    with pytest.raises(DataError, match=f"topics.*({message})"):
        read_topics(write(tmp_path, text))


@given(
    st.lists(
        st.sampled_from(["<top>", "</top>", "<num>", "<title>", "1", "a\t", "\n", " ", "<", "\ufeff", "{"]), max_size=16
    )
)
@settings(max_examples=60)
def test_any_text(tmp_path_factory, parts):
    """Queries that are not empty of id, or an error with the file's name."""
    folder = tmp_path_factory.mktemp("topics")
    for name in ("topics", "topics.jsonl"):
        queries, error = attempt(read_topics, write(folder, "".join(parts), name))
        assert name in error if error else queries and all(query.strip() for query in queries)


@pytest.mark.parametrize("line", ["query-id\ttext", "qid\tquery", "ID\tText", "docno\tcontents"])
def test_headers(tmp_path, line):
    """They would be one more query, or document."""
    (tmp_path / "a.tsv").write_text(f"{line}\nq1\ta cat\n")
    with pytest.raises(DataError, match=r"line 1: .* is a header, .*leave it out"):
        read_topics(tmp_path / "a.tsv")
    (tmp_path / "a.tsv").write_text(f"q1\ta cat\n{line}\n")
    assert len(read_topics(tmp_path / "a.tsv")) == 2
