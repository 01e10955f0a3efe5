"""Training examples from judgements and files."""

from __future__ import annotations

import json

import pytest

from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval.collection import Collection
from hybrid_qproj.retrieval.documents import MemoryDocuments
from hybrid_qproj.retrieval.examples import Example, choose, choose_queries
from hybrid_qproj.retrieval.labelled import judged_examples, read_examples

TEXTS = {f"d{i}": f"text {i}" for i in range(12)}
QRELS = {
    "q1": {"d0": 3, "d1": 2, "d2": 1, "d3": 0, "d4": 0},
    "q2": {"d5": 2, "d6": 0},
    "q3": {"d7": 1, "d8": 0},
    "q4": {"d9": 3, "d10": 3, "missing": 0},
}
QUERIES = {query: f"query {query}" for query in QRELS}


def collection(qrels=QRELS):
    return Collection("mini", MemoryDocuments(TEXTS), QUERIES, qrels)


def test_positives_and_negatives_from_grades():
    """Each document of grade 2 or more is a positive; what is judged lower for the query is negative first."""
    found = judged_examples(collection(), negatives=3).items
    grades = {TEXTS[d]: g for d, g in QRELS["q1"].items()}
    mine = [example for example in found if example.query == "query q1"]
    assert [grades[example.positive] for example in mine] == [3, 2]
    for example in mine:
        assert len(set(example.negatives)) == 3
        assert all(grades[text] < grades[example.positive] for text in example.negatives)
    (second,) = (example for example in found if example.query == "query q2")
    assert "text 6" in second.negatives
    assert not {"text 5"} & set(second.negatives)


def test_problems_are_counted():
    """A query without positive, and a judged document without text."""
    assert judged_examples(collection(), negatives=2).problems == (
        "1 of 4 judged queries have no document of grade 2",
        "1 of 10 judged documents have no text",
    )


def test_too_few_negatives():
    """A lone query cannot borrow; with nothing left that is an error."""
    with pytest.raises(DataError, match=r"gives no training example: .*has too few negatives and is left out"):
        judged_examples(collection({"q2": QRELS["q2"]}), negatives=5)


def test_examples_repeat():
    """Same seed, same examples; fewer queries give a part of them."""
    assert judged_examples(collection(), 2, seed=5) == judged_examples(collection(), 2, seed=5)
    examples = judged_examples(collection(), 2).items
    assert set(choose_queries(examples, 1, 0)) <= set(choose_queries(examples, 2, 0)) <= set(examples)


def test_triples_of_texts(tmp_path):
    """TSV lines of one query and positive are one example; JSONL has lists."""
    (tmp_path / "t.tsv").write_text("q\tp\tn1\nq\tp\tn2\nq\tp2\tn1\n")
    examples = read_examples(tmp_path / "t.tsv", negatives=2)
    assert examples.items == (Example("q", "p", ("n1", "n2")),)
    assert examples.problems == ("1 of 2 examples have fewer than 2 negatives",)
    lines = [
        {"query": "q", "positive": "p", "negatives": ["n1", "n2", "n3"]},
        {"query": "q", "positive": "x", "negative": "n"},
    ]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_examples(tmp_path / "t.jsonl", negatives=1).items == (
        Example("q", "p", ("n1",)),
        Example("q", "x", ("n",)),
    )


def test_some_queries_of_a_file(tmp_path):
    """Chosen as everywhere, and only their examples are kept."""
    (tmp_path / "t.tsv").write_text("".join(f"q{i}\tp{i}\tn{j}\n" for j in range(3) for i in range(10)))
    few, more = (read_examples(tmp_path / "t.tsv", 2, queries, seed=3).items for queries in (2, 0.5))
    assert (len(few), len(more)) == (2, 5)
    assert set(few) <= set(more)
    assert {example.query for example in few} == set(choose([f"q{i}" for i in range(10)], 2, 3))


def test_a_file_of_nothing(tmp_path):
    """The error names the file."""
    (tmp_path / "t.tsv").write_text("")
    with pytest.raises(DataError, match=r"t\.tsv gives no training example: it is empty"):
        read_examples(tmp_path / "t.tsv", negatives=1)


def test_repeated_negatives_do_not_count_twice(tmp_path):
    """What is already there makes no room for nothing."""
    line = {"query": "q", "positive": "p", "negatives": ["a", "a", "b"]}
    (tmp_path / "t.jsonl").write_text("\ufeff" + json.dumps(line) + "\n")
    assert read_examples(str(tmp_path / "t.jsonl"), negatives=2).items == (Example("q", "p", ("a", "b")),)


EXACT = {
    "q1": {"a": 3, "b": 0, "c": 1},
    "q2": {"d": 3, "e": 0, "f": 0, "g": 1},
    "q3": {"h": 2, "a": 3, "b": 0, "c": 0},
}


def exactly(negatives, **keywords):
    """Examples of `EXACT`, whose documents are their own texts."""
    documents = MemoryDocuments({name: name for grades in EXACT.values() for name in grades})
    return judged_examples(
        Collection("mini", documents, {q: q for q in EXACT}, EXACT), negatives, exact=True, **keywords
    )


def test_exactly_so_many_judged_lower():
    """None is borrowed and none left over; a query counts by any of its positives."""
    found = exactly(2)
    assert {(e.query, e.positive): set(e.negatives) for e in found.items} == {
        ("q1", "a"): {"b", "c"},
        ("q3", "h"): {"b", "c"},
    }
    assert found.problems == ("1 of 3 queries do not have 2 negatives",)
    assert {e.query for e in exactly(3).items} == {"q2", "q3"}
    with pytest.raises(DataError, match=r"gives no training example: 3 of 3 queries do not have 9 negatives"):
        exactly(9)


def test_exactly_so_many_in_a_file(tmp_path):
    """Neither fewer nor more, repeated ones once; queries are chosen among those that qualify."""
    counts = {f"q{number}": 2 + number % 3 for number in range(12)}
    lines = [{"query": q, "positive": "p", "negatives": [f"n{i}" for i in range(n)]} for q, n in counts.items()]
    lines.append({"query": "q3", "positive": "p", "negatives": ["n0", "n1"]})
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = read_examples(tmp_path / "t.jsonl", 3, exact=True)
    assert {e.query for e in found.items} == {q for q, n in counts.items() if n == 3}
    assert all(len(e.negatives) == 3 for e in found.items)
    assert found.problems == ("8 of 12 queries do not have 3 negatives",)
    assert len(read_examples(tmp_path / "t.jsonl", 3, queries=4, seed=5, exact=True).items) == 4
    with pytest.raises(DataError, match="5 training queries were asked for; there are 4"):
        read_examples(tmp_path / "t.jsonl", 3, queries=5, exact=True)
    with pytest.raises(DataError, match=r"t\.jsonl gives no training example: 12 of 12 queries do not have 9"):
        read_examples(tmp_path / "t.jsonl", 9, exact=True)


def test_one_query_with_several_positives(tmp_path):
    """Those positives count that have exactly so many."""
    (tmp_path / "t.tsv").write_text("q\tp\ta\nq\tp\tb\nq\tp2\ta\nq\tp3\ta\nq\tp3\tb\nq\tp3\tc\n")
    found = read_examples(tmp_path / "t.tsv", 2, exact=True)
    assert found.items == (Example("q", "p", ("a", "b")),)
    assert found.problems == ("2 of 3 examples do not have exactly 2 negatives",)
