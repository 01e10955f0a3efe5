"""What is wrong is counted, and nothing is said of what is right."""

from __future__ import annotations

import pytest

from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval import collection
from hybrid_qproj.retrieval.documents import MemoryDocuments
from hybrid_qproj.retrieval.problems import document_problems, missing_texts, query_problems, same_text


def test_missing_texts():
    """Counted once an id."""
    assert missing_texts("candidates", ["a", "b", "b"], {"a"}) == ("1 of 2 candidates have no text",)
    assert missing_texts("candidates", ["a"], {"a"}) == ()


def test_queries():
    """Judgements of none are none."""
    assert query_problems({"a": "x", "b": "y"}, {"a": {"d": 1}, "b": {"d": 0}}) == ()
    assert query_problems({"a": "x", "b": " "}, {"b": {}, "c": {"d": 1}}) == (
        "2 of 2 queries have no judgements and are left out",
        "1 of 2 judged queries have no text and are left out",
        "1 queries are empty",
    )


def test_documents():
    """One pass counts them, and finds the queries that are documents."""
    documents = MemoryDocuments({"a": "Title a text", "b": " ", "c": "other"})
    problems, own = document_problems(
        "mine", documents, {"a": "a text", "c": "c", "q": "a text"}, {"q": {"b": 1, "z": 1}}
    )
    assert problems == ("1 of 3 documents are empty", "1 of 2 judged documents have no text")
    assert own == {"a": True, "c": False}
    with pytest.raises(DataError, match="mine has no documents to retrieve from"):
        document_problems("mine", [], {}, {})


@pytest.mark.parametrize(
    ("query", "document", "same"),
    [("a text", "a text", True), (" a text\n", "Title a text ", True), ("a", "b", False), (" ", "a", False)],
)
def test_same_text(query, document, same):
    """A title before it makes no other text of it; a blank query is nobody's."""
    assert same_text(query, document) == same


def test_former_place():
    """Imports of the module that is documented go on."""
    assert collection.missing_texts is missing_texts
    assert collection.same_text is same_text
