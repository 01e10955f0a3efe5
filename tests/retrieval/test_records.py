"""JSON objects, a line each: what JSON leaves open is an error."""

from __future__ import annotations

import pytest

from hybrid_qproj.retrieval.document_files import JsonlDocuments
from hybrid_qproj.retrieval.documents import Document
from hybrid_qproj.retrieval.records import read_records
from hybrid_qproj.retrieval.rules import DataError
from hybrid_qproj.retrieval.topics import read_topics


def write(folder, text):
    (folder / "a.jsonl").write_bytes(text.encode("utf-8", "surrogatepass"))
    return folder / "a.jsonl"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"a": NaN}', "NaN is no number of JSON"),
        ('{"a": -Infinity}', "-Infinity is no number of JSON"),
        ('{"a": 1, "a": 1}', "the key 'a' stands there twice"),
        ('{"x": {"a": 1, "a": 2}}', "the key 'a' stands there twice"),
        ("[" * 100_000, "expected a JSON object"),
        ('{"a": ' + "9" * 5000 + "}", "expected a JSON object"),
        ("[1]", "expected a JSON object"),
        ("null", "expected a JSON object"),
        ("{} {}", "expected a JSON object"),
        ("   ", "expected a JSON object"),
        ("\ufeff{}", "expected a JSON object"),
    ],
)
def test_what_is_refused(tmp_path, line, message):
    """With file and line, and without a traceback of the parser's."""
    with pytest.raises(DataError, match=rf"a\.jsonl, line 2: .*{message}"):
        list(read_records(write(tmp_path, "{}\n" + line + "\n")))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"_id": 7, "text": "a"}', "7"),
        ('{"id": -12345678901234567890, "text": "a"}', "-12345678901234567890"),
        ('{"id": "7", "_id": 7, "text": "a"}', "7"),
        ('{"_id": " a b ", "text": "a"}', " a b "),
        ('{"_id": "d\\u00a01", "text": "a"}', "d\u00a01"),
    ],
)
def test_ids(tmp_path, line, expected):
    """Strings as they are, whole numbers as their digits; under _id or id; for documents and queries alike."""
    path = write(tmp_path, line + "\n")
    assert list(JsonlDocuments(path)) == [Document(expected, "a")]
    assert read_topics(path) == {expected: "a"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"_id": "1", "id": "2", "text": "a"}', "_id and id differ"),
        ('{"_id": "", "text": "a"}', "not blank"),
        ('{"_id": " \\t", "text": "a"}', "not blank"),
        ('{"_id": "a\\u0000", "text": "a"}', "holds no NUL"),
        ('{"_id": true, "text": "a"}', "True; expected '_id', a string or a whole number"),
        ('{"_id": 1.0, "text": "a"}', "a string or a whole number"),
        ('{"_id": null, "text": "a"}', "a string or a whole number"),
        ('{"_id": ["a"], "text": "a"}', "a string or a whole number"),
        ('{"text": "a"}', "expected _id and text"),
        ('{"_id": "a"}', "expected _id and text"),
        ('{"_id": "a", "text": null}', "document 'a': None; expected its text, a string|query 'a': None"),
        ('{"_id": "a", "text": 7}', "expected its text, a string"),
        ('{"_id": "a", "text": "x\\ud800"}', "'a': character 2 of its text is .*half of a surrogate pair"),
        ('{"_id": "a\\udc00", "text": "x"}', "half of a surrogate pair"),
    ],
)
def test_malformed_records(tmp_path, line, message):
    """The same rules for documents and queries."""
    path = write(tmp_path, '{"_id": "0", "text": "a"}\n' + line + "\n")
    for read in (JsonlDocuments, read_topics):
        with pytest.raises(DataError, match=rf"a\.jsonl, line 2.*({message})"):
            list(read(path))


@pytest.mark.parametrize("title", ["7", "false", "[]", '"\\ud800"'])
def test_titles_are_texts(tmp_path, title):
    """Null is no title; anything else that is no string is an error."""
    with pytest.raises(DataError, match=r"line 1, document 'a': .*its title"):
        list(JsonlDocuments(write(tmp_path, f'{{"_id": "a", "title": {title}, "text": "x"}}\n')))
    assert list(JsonlDocuments(write(tmp_path, '{"_id": "a", "title": null, "text": "x"}\n'))) == [Document("a", "x")]
