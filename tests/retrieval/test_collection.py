"""Collections from folders, files and ir_datasets, and what is wrong with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval.collection import (
    check_documents,
    load_collection,
    read_collection,
    read_judged,
)


@pytest.fixture
def beir(tmp_path):
    """A BEIR folder in which something is wrong everywhere, but nothing that is an error."""
    folder = tmp_path / "mini"
    (folder / "qrels").mkdir(parents=True)
    corpus = [("d1", "a cat"), ("d2", " "), ("d3", "again")]
    (folder / "corpus.jsonl").write_text("".join(json.dumps({"_id": i, "text": t}) + "\n" for i, t in corpus))
    queries = [("q1", "cat"), ("q2", "unjudged"), ("q4", "")]
    (folder / "queries.jsonl").write_text("".join(json.dumps({"_id": i, "text": t}) + "\n" for i, t in queries))
    (folder / "qrels" / "dev.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td9\t4\nq3\td1\t-1\nq4\td1\t1\n"
    )
    return folder


def test_beir_folder(beir):
    """Queries and judgements of the split; what is wrong is counted, not fatal."""
    collection = load_collection(beir, split="dev")
    assert collection.queries == {"q1": "cat", "q2": "unjudged", "q4": ""}
    assert collection.qrels["q1"] == {"d1": 1, "d9": 4}
    assert collection.problems == (
        "1 of 3 queries have no judgements and are left out",
        "1 of 3 judged queries have no text and are left out",
        "1 queries are empty",
    )


def test_documents_are_checked_in_one_pass(beir):
    """Empty texts, judged documents that do not exist."""
    assert check_documents(load_collection(beir, split="dev")) == (
        "1 of 3 documents are empty",
        "1 of 2 judged documents have no text",
    )


def test_grades_are_replaced(beir):
    """Where 1 is best; grades that are not named stay."""
    assert load_collection(beir, "dev", {1: 4, -1: 0}).qrels["q1"] == {"d1": 4, "d9": 4}
    assert load_collection(beir, "dev", {1: 4, -1: 0}).qrels["q3"] == {"d1": 0}


def test_loose_files(tmp_path):
    """Documents alone, or with queries and judgements."""
    (tmp_path / "docs.tsv").write_text("d1\ta cat\n")
    (tmp_path / "topics.tsv").write_text("q1\tcat\n")
    (tmp_path / "qrels").write_text("q1 0 d1 1\n")
    assert read_collection(tmp_path / "docs.tsv").queries == {}
    collection = read_collection(tmp_path / "docs.tsv", tmp_path / "topics.tsv", tmp_path / "qrels")
    assert (collection.queries, collection.qrels) == ({"q1": "cat"}, {"q1": {"d1": 1}})


def test_judged_passages(tmp_path):
    """A query with its passages a line; the documents are those passages."""
    line = {"qid": 7, "query": "cat", "passages": [{"docid": "d1", "rel": 3, "text": "a cat"}]}
    (tmp_path / "j.jsonl").write_text(json.dumps(line) + "\n")
    collection = read_judged(tmp_path / "j.jsonl")
    assert collection.qrels == {"7": {"d1": 3}}
    assert collection.documents.get(["d1"]) == {"d1": "a cat"}
    (tmp_path / "j.jsonl").write_text(json.dumps({"qid": 7, "query": "cat"}) + "\n")
    with pytest.raises(DataError, match="line 1: expected qid, query and passages with docid, rel and text"):
        read_judged(tmp_path / "j.jsonl")


def test_unknown_names_get_suggestions():
    """A name that is nearly one of ir_datasets."""
    pytest.importorskip("ir_datasets", reason="needs the extra 'eval'")
    with pytest.raises(DataError, match=r"neither a folder nor a dataset of ir_datasets; did you mean 'cranfield'"):
        load_collection("cranfeld")


CODE = """
from hybrid_qproj.retrieval.collection import load_collection
from hybrid_qproj.retrieval.labelled import docpair_examples
SMALL = "msmarco-passage/train/triples-small"
collection = load_collection("msmarco-passage/trec-dl-2019/judged")
print(len(collection.queries), len(collection.qrels), len(list(collection.documents)))
print(collection.documents.get(["3", "0", "nope"]))
for queries in (12, 0.5):
    examples = docpair_examples(SMALL, 4, queries, seed=1)
    print(len(examples.items), {len(e.negatives) for e in examples.items}, examples.problems)
print(docpair_examples(SMALL, 6, 1.0).items[0])
try:
    docpair_examples(SMALL, 7, 1.0)
except ValueError as error:
    print(error)
try:
    docpair_examples("msmarco-passage/trec-dl-2019/judged", 1, 1.0)
except ValueError as error:
    print(error)
for negatives in (4, 5, 6):
    examples = docpair_examples(SMALL, negatives, exact=True)
    print(len(examples.items), {len(e.negatives) for e in examples.items}, examples.problems)
few, more = (docpair_examples(SMALL, 5, queries, seed=2, exact=True).items for queries in (3, 6))
print(set(few) < set(more), len(few), len(more))
for negatives, queries in ((3, 1.0), (5, 7)):
    try:
        docpair_examples(SMALL, negatives, queries, exact=True)
    except ValueError as error:
        print(error)
"""


def test_ir_datasets(msmarco):
    """Documents, queries, judgements and training triples of MS MARCO, by their ids."""
    pytest.importorskip("ir_datasets", reason="needs the extra 'eval'")
    # ir_datasets takes its folder from the environment when it is imported.
    environment = {**os.environ, "IR_DATASETS_HOME": str(msmarco)}
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "3 3 48"
    assert lines[1] == "{'3': 'the cat sat on a quantum', '0': 'the cat sat on the cat'}"
    assert lines[2:4] == ["12 {4} ()", "6 {4} ()"]
    assert lines[4].startswith("Example(query='")
    assert "12 of 12 queries have fewer than 7 negatives" in lines[5]
    assert "has no docpairs; expected one such as msmarco-passage/train/triples-small" in lines[6]
    assert lines[7:10] == [
        f"{rest} {{{n}}} ('{12 - rest} of 12 queries do not have exactly {n} negatives',)"
        for n, rest in ((4, 3), (5, 6), (6, 3))
    ]
    assert lines[10] == "True 3 6"
    assert "gives no training example: 12 of 12 queries do not have exactly 3 negatives" in lines[11]
    assert "7 training queries were asked for; there are 6" in lines[12]


def test_lee():
    """Fifty texts that rank each other, and the texts without judgements."""
    pytest.importorskip("gensim", reason="needs the extra 'demo'")
    lee, background = load_collection("lee"), load_collection("lee-background")
    assert len(lee.queries) == len(list(lee.documents)) == 50
    assert all(query not in judged and len(judged) == 49 for query, judged in lee.qrels.items())
    assert (len(list(background.documents)), background.queries) == (300, {})
