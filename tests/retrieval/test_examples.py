"""Training examples from judgements and files."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval.collection import Collection
from hybrid_qproj.retrieval.documents import MemoryDocuments
from hybrid_qproj.retrieval.examples import Example, choose, choose_queries, judged_examples, read_examples

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


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 100))
def test_fewer_queries_are_among_more(few, more, seed):
    """Numbers and shares choose prefixes of one order."""
    names = [f"q{i}" for i in range(30)]
    few, more = sorted((few, more))
    assert set(choose(names, few, seed)) <= set(choose(names, more, seed))
    assert choose(names, more, seed) == choose(reversed(names), more / 30, seed)


def test_choice_depends_on_the_seed():
    """Another seed, other queries; all of them are all of them."""
    names = [f"q{i}" for i in range(30)]
    assert choose(names, 10, 0) != choose(names, 10, 1)
    assert sorted(choose(names, 1.0, 3)) == sorted(names)
    assert len(choose(names, 0.001, 3)) == 1


def test_too_many_queries():
    """More than there are is an error, not fewer."""
    with pytest.raises(DataError, match="31 training queries were asked for; there are 30"):
        choose([f"q{i}" for i in range(30)], 31, 0)


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


@pytest.mark.parametrize("queries", [0, -1, True, 0.0, -0.5, 1.5, float("nan"), float("inf")])
def test_what_is_no_number_of_queries(queries):
    """A whole number of them, or a share in (0, 1]."""
    with pytest.raises(DataError, match="training queries"):
        choose(["a", "b"], queries, 0)
