"""TREC's files: runs, judgements, topics."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_qproj.errors import DataError
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


TAB = "query-id\tcorpus-id\tscore\n"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\ufeffq1 0 d1 2\n", {"q1": {"d1": 2}}),
        ("q1\t0  d1\v+2\r\n\r\n q1 0 d2 -1\f\n", {"q1": {"d1": 2, "d2": -1}}),
        ("q\u00a01 0 d\u20281 1\n", {"q\u00a01": {"d\u20281": 1}}),
        ("\ufeff" + TAB + "q 1\td 1\t1\n", {"q 1": {"d 1": 1}}),
        (TAB + " q1\td1 \t1\r\n", {" q1": {"d1 ": 1}}),
        ("", {}),
        (TAB, {}),
    ],
)
def test_columns_of_qrels(tmp_path, text, expected, packed):
    """TREC's are separated by C's white space, BEIR's by tabs; a byte-order mark is no part of the first id."""
    path = tmp_path / ("q.gz" if packed else "q")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    assert read_qrels(str(path)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q1 d1 1\n", "line 1: 'q1 d1 1'; expected TREC's columns: .*or BEIR's, which begin with"),
        ("query-id corpus-id score\nq1 d1 1\n", "line 1: .*expected TREC's columns"),
        ("q1\td1\t1\n", "line 1: .*expected TREC's columns"),
        ("q1 0 d 1 1\n", "line 1: .*expected TREC's columns"),
        ("q1 0 d1 1\n" + TAB, "line 2: .*expected TREC's columns"),
        (TAB + "q1 d1 1\n", "line 2: .*expected query, document and grade with tabs between"),
        (TAB + "q1\t0\td1\t1\n", "line 2: .*with tabs between"),
        (TAB + "q1\t\t1\n", "line 2: ''; expected the id of a document that is not blank"),
        (TAB + "q1\td1\t1 \n", "line 2: grade '1 '"),
        (TAB + "q1\td1\t1.0\n", "line 2: grade '1.0'; expected a whole number"),
        (TAB + "q1\td1\t1\nq1\td1\t1\n", "line 3: document 'd1' stands twice under query 'q1'"),
        ("q1 0 d1 1_0\n", "line 1: grade '1_0'"),
        ("q1 0 d1 \u0663\n", "line 1: grade"),
        ("q1 0 d1 99999999999\n", "line 1: grade '99999999999'; expected one of at most"),
        ("q1 0 d\0 1\n", "is UTF-16 or no text"),
        ("q0 0 d0 1\nq1 0 d\0 1\n", "line 2: .*holds no NUL"),
    ],
)
def test_malformed_qrels(tmp_path, text, message):
    """With file and line."""
    (tmp_path / "qrels").write_text(text)
    with pytest.raises(DataError, match=f"qrels.*({message})"):
        read_qrels(tmp_path / "qrels")


@pytest.mark.parametrize(
    "line",
    ["q Q0 d 1 1_0 t", "q Q0 d 1 1e999 t", "q Q0 d 1 0x1 t", "q Q0 d 1 t", "q Q0 d e 1 0.5 t", "q Q0 d 1 infinity t"],
)
def test_malformed_runs(tmp_path, line):
    """With file and line."""
    (tmp_path / "a.run").write_text("\ufeffx Q0 d 1 0.5 t\n" + line + "\n")
    with pytest.raises(DataError, match=r"a\.run, line 2"):
        read_run(tmp_path / "a.run")


@given(
    st.lists(
        st.sampled_from(["q", " ", "\t", "\n", "1", "0.5", "\u00a0", "\ufeff", "query-id\tcorpus-id\tscore\n"]),
        max_size=20,
    )
)
@settings(max_examples=60)
def test_any_text(tmp_path_factory, parts):
    """A table of ids and numbers, or an error with the file's name."""
    path = tmp_path_factory.mktemp("any") / "table"
    path.write_text("".join(parts))
    for read, kind in ((read_qrels, int), (read_run, float)):
        try:
            table = read(path)
        except DataError as error:
            if "table" not in str(error):
                raise
            continue
        assert all(type(value) is kind and name.strip() for row in table.values() for name, value in row.items())


@pytest.mark.parametrize("space", [" ", "\t", "\n", "\v", "\f", "\r", "\0"])
@pytest.mark.parametrize("place", ["query", "document", "tag"])
def test_what_cannot_be_written(tmp_path, space, place):
    """What a reader would split or end there; nothing is written."""
    names = {"query": "q", "document": "d", "tag": "t", place: f"a{space}b"}
    with pytest.raises(DataError):
        write_run(tmp_path / "a.run", {names["query"]: {names["document"]: 1.0}}, names["tag"])
    assert not list(tmp_path.iterdir())


def test_other_white_space_is_written(tmp_path):
    """It separates nothing in a TREC file, so that it comes back."""
    run = {"q\u00a01": {"d\u2028\x1c\x85": 0.5}}
    write_run(str(tmp_path / "a.run"), run, "t")
    assert read_run(str(tmp_path / "a.run")) == run


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf"), 1e39, True, "1", None])
def test_scores_that_cannot_be_written(tmp_path, score):
    """They would not be read back as what they are."""
    with pytest.raises(DataError, match="query q, document 'd': score"):
        write_run(tmp_path / "a.run", {"q": {"d": score}}, "t")
    assert not list(tmp_path.iterdir())


def test_scores_of_numpy(tmp_path):
    """Are written as numbers."""
    write_run(tmp_path / "a.run", {"q": {"d": np.float32(0.5), "e": 1}}, "t")
    assert (tmp_path / "a.run").read_text() == "q Q0 e 1 1.0 t\nq Q0 d 2 0.5 t\n"


MARK = "\ufeff"


@pytest.mark.parametrize("before", [MARK, "q0 0 d0 1\n"])
def test_byte_order_mark_inside_of_a_file(tmp_path, before):
    """Of files that were joined, or with two marks: it would become a part of the id and lose its judgements."""
    (tmp_path / "qrels").write_text(f"{before}{MARK}q1 0 d1 1\n")
    with pytest.raises(DataError, match=r"the id of a query .*begins with a byte-order mark.*joined"):
        read_qrels(tmp_path / "qrels")


def test_quotes_of_beir(tmp_path):
    """BEIR reads and writes its judgements by Python's csv: an id with a quotation mark is quoted, the mark doubled."""
    header = "query-id\tcorpus-id\tscore\n"
    (tmp_path / "test.tsv").write_text(f'{header}"q1"\t"a""b"\t1\nq2\t5"\t2\n')
    assert read_qrels(tmp_path / "test.tsv") == {"q1": {'a"b': 1}, "q2": {'5"': 2}}
    (tmp_path / "test.tsv").write_text(f'{header}"q1\td\t1\n')
    with pytest.raises(DataError, match=r"line 2: .*quoted as in CSV"):
        read_qrels(tmp_path / "test.tsv")
