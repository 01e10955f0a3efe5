"""Files of training triples, line by line."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval.triples import HEADERS, read_triples

WORDS = st.text("abc é\u2028", min_size=1, max_size=5).filter(str.strip)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(WORDS, WORDS, WORDS).filter(lambda t: t[1] != t[2]), max_size=5))
def test_both_formats_say_the_same(tmp_path, triples):
    """Every line in its order, compressed or not."""
    expected = [(query, positive, [negative]) for query, positive, negative in triples]
    tsv = "".join("\t".join(triple) + "\n" for triple in triples)
    (tmp_path / "t.tsv").write_text(tsv, encoding="utf-8")
    (tmp_path / "t.tsv.gz").write_bytes(gzip.compress(tsv.encode()))
    records = [dict(zip(("query", "positive", "negative"), triple, strict=True)) for triple in triples]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    for name in ("t.tsv", "t.tsv.gz", "t.jsonl"):
        assert list(read_triples(tmp_path / name)) == expected


@pytest.mark.parametrize("header", HEADERS)
def test_headers(tmp_path, header):
    """Are refused in the first line, in any case, and are texts in every other."""
    line = "\t".join(header).upper()
    (tmp_path / "t.tsv").write_text(f"{line}\na\tb\tc\n")
    with pytest.raises(DataError, match=r"line 1: .*is a header"):
        list(read_triples(tmp_path / "t.tsv"))
    (tmp_path / "t.tsv").write_text(f"a\tb\tc\n{line}\n")
    assert len(list(read_triples(tmp_path / "t.tsv"))) == 2


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.tsv", "q\tp\n", "line 1: .*expected query, positive, negative and tabs"),
        ("t.jsonl", '{"query": "q", "positive": "p"}\n', "expected query, positive and negatives, all texts"),
        ("t.jsonl", '{"query": "q", "positive": 7, "negatives": ["n"]}\n', "all texts"),
        ("t.tsv", "q\tp\tn\nq\tp\tp\n", "line 2: 'p' both answers query 'q' and does not; a pair has one grade"),
        ("t.jsonl", '{"query": "q", "positive": "p", "negatives": ["n", "p"]}\n', "'p' both answers query 'q'"),
        ("t.jsonl", '{"query": null, "positive": "p", "negatives": ["n"]}\n', "line 1: None; expected query"),
        ("t.jsonl", '{"query": "q\\ud800", "positive": "p", "negatives": ["n"]}\n', "line 1: .*surrogate"),
        ("t.jsonl", '{"query": "q", "positive": "p", "negatives": ["n", null]}\n', "line 1: None; expected query"),
        ("t.jsonl", '{"query": "q", "positive": "p", "negatives": "n", "negative": "n"}\n', "expected query, positive"),
        (
            "t.jsonl",
            '{"query": "q", "positive": "p", "positive": "x", "negative": "n"}\n',
            "'positive' stands there twice",
        ),
        ("t.tsv", "q\tp\tn\tx\n", "expected query, positive, negative and tabs"),
    ],
)
def test_malformed_triples(tmp_path, name, text, message):
    """Each error names the file."""
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        list(read_triples(tmp_path / name))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("query\tpositive\tnegative\na\tb\tc\n", "line 1: .*is a header"),
        ("a\tb\tc\n\tb\tc\n", "line 2: a text is blank"),
        ("a\t \tc\n", "line 1: a text is blank"),
    ],
)
def test_triples_of_no_texts(tmp_path, text, message):
    """A header would be an example, and nothing can be learnt from a blank text."""
    (tmp_path / "a.tsv").write_text(text)
    with pytest.raises(DataError, match=message):
        list(read_triples(tmp_path / "a.tsv"))
