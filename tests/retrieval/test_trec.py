"""TREC's files: runs, judgements, topics."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_qproj.retrieval.documents import DataError
from hybrid_qproj.retrieval.trec import read_qrels, read_run, read_topics, write_run

IDS = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=8)
RUNS = st.dictionaries(IDS, st.dictionaries(IDS, st.floats(-3.4e38, 3.4e38), min_size=1), min_size=1, max_size=4)


@given(run=RUNS)
def test_runs_survive_a_round_trip(tmp_path_factory, run):
    """Every score to the last bit."""
    path = tmp_path_factory.mktemp("runs") / "a.run"
    write_run(path, run, "tag")
    assert read_run(path) == run


def test_run_is_in_trec_order(tmp_path):
    """Best first, ranks from 1, equal scores by descending id as trec_eval takes them."""
    write_run(tmp_path / "a.run", {"q": {"a": 0.5, "c": 0.5, "b": 2.0}}, "mine")
    assert (tmp_path / "a.run").read_text().splitlines() == [
        "q Q0 b 1 2.0 mine",
        "q Q0 c 2 0.5 mine",
        "q Q0 a 3 0.5 mine",
    ]


def test_ids_with_spaces_cannot_be_written(tmp_path):
    """Columns are separated by spaces; nothing is written."""
    for run, tag in (({"q 1": {"d": 1.0}}, "t"), ({"q": {"a b": 1.0}}, "t"), ({"q": {"d": 1.0}}, "")):
        with pytest.raises(ValueError, match="cannot stand in a TREC run"):
            write_run(tmp_path / "a.run", run, tag)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["q1 0 d1 2\nq1 0 d2 -1\n", "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t-1\n"])
def test_qrels_of_trec_and_beir(tmp_path, text):
    """Four columns, or three with a header; grades may be negative."""
    (tmp_path / "qrels").write_text(text)
    assert read_qrels(tmp_path / "qrels") == {"q1": {"d1": 2, "d2": -1}}


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (read_qrels, "q1 0 d1\n\nq1 0 d1 x\n", r"line 1"),
        (read_qrels, "q1 0 d1 1\nq1 0 d1 1.5\n", r"line 2: grade '1.5'; expected a whole number"),
        (read_qrels, "q1 0 d1 1\nq1 0 d1 1\n", "document 'd1' stands twice under query 'q1'"),
        (read_run, "q Q0 d 1 0.5\n", "line 1: .*expected TREC's columns"),
        (read_run, "q Q0 d 1 nan t\n", "score nan is no finite number"),
        (read_run, "q Q0 d 1 0.5 t\nq Q0 d 2 0.4 t\n", "stands twice"),
    ],
)
def test_malformed_tables(tmp_path, read, text, message):
    """Each error names file and line."""
    (tmp_path / "table").write_text(text)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "table")


SGML = """<top>
<num> Number: 301
<title> International Organized
Crime

<desc> Description:
Identify organizations.
</top>
<top>
<num>302</num><title>Poliomyelitis</title>
</top>
"""


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("t.tsv", "301\tcrime\n302\tpolio\n", {"301": "crime", "302": "polio"}),
        ("q.jsonl", '{"_id": "301", "text": "crime"}\n', {"301": "crime"}),
        ("topics.301-302", SGML, {"301": "International Organized Crime", "302": "Poliomyelitis"}),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_topics(tmp_path, name, text, expected, packed):
    """Three formats, each perhaps compressed."""
    path = tmp_path / (f"{name}.gz" if packed else name)
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    assert read_topics(path) == expected


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.tsv", "", "holds no queries"),
        ("t.tsv", "301\ta\n301\tb\n", "line 2: query '301' stands there twice"),
        ("t.tsv", "no tab\n", "line 1: 'no tab'"),
        ("t.txt", "<top>\n<num> 1\n</top>\n", "line 1: a topic without <num> and <title>"),
        ("q.jsonl", '{"id": 1}\n', r"keys \['id'\]"),
    ],
)
def test_malformed_topics(tmp_path, name, text, message):
    """Each error names the file."""
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        read_topics(tmp_path / name)
