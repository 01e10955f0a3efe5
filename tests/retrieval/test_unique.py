"""An id that came before, however long ago."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_qproj.retrieval import unique
from hybrid_qproj.retrieval.document_files import JsonlDocuments, TsvDocuments
from hybrid_qproj.retrieval.documents import Document, Documents, MemoryDocuments
from hybrid_qproj.retrieval.rules import DataError
from hybrid_qproj.retrieval.sources import open_source
from hybrid_qproj.retrieval.unique import SeenIds, refuse_twice


@given(names=st.lists(st.integers(0, 60).map(str), max_size=60), batch=st.integers(1, 9))
@settings(max_examples=60)
def test_every_duplicate_is_found(names, batch):
    """Whatever the size of the batches in which older ids are looked for, and nothing else is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unique, "IDS_AT_ONCE", batch)
        seen = SeenIds()
        twice = set().union(*(seen.add(name) for name in names), seen.rest())
    assert twice == {hash(name) for name in names if names.count(name) > 1}


def test_equal_hashes_are_no_duplicates():
    """What counts are the ids."""
    refuse_twice(lambda: iter([("line 1", "a"), ("line 2", "b")]), {hash("a"), hash("b")}, "hint")
    with pytest.raises(DataError, match="line 2: the id 'a' came before, in line 1; hint"):
        refuse_twice(lambda: iter([("line 1", "a"), ("line 2", "a")]), {hash("a")}, "hint")


def test_files_name_both_lines(tmp_path, monkeypatch):
    """Far apart, with equal texts too; in each format, and before a file is split into parts."""
    monkeypatch.setattr(unique, "IDS_AT_ONCE", 3)
    names = [str(i) for i in range(10)] + ["1"]
    (tmp_path / "a.tsv").write_text("\n" + "".join(f"{name}\ttext\n" for name in names))
    lines = [{"_id": int(name) if i % 2 else name, "text": "text"} for i, name in enumerate(names)]
    (tmp_path / "a.jsonl").write_text("\n" + "".join(json.dumps(line) + "\n" for line in lines))
    for documents in (TsvDocuments(str(tmp_path / "a.tsv")), JsonlDocuments(tmp_path / "a.jsonl")):
        name = documents.path.name
        for read in (list, lambda d: d.get(["3"]), lambda d: d.split(2)):
            with pytest.raises(DataError, match=rf"{name}, line 12: the id '1' came before, in .*{name}, line 3; each"):
                read(pickle.loads(pickle.dumps(documents)))  # noqa: S301 - as a worker of a cluster gets it


def test_streams_of_others():
    """A stream that checks nothing itself is checked where texts are looked up."""

    class Mine(Documents):
        def __iter__(self):
            return iter([Document("a", "x"), Document("a", "y")])

    with pytest.raises(DataError, match="document 'a' is in the corpus twice"):
        Mine().get(["a"])


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({}, "has no documents"),
        ({"": "a"}, "not blank"),
        ({"a": None}, "document 'a': None; expected its text"),
        ({"a": "\ud800"}, "document 'a': character 1 of its text"),
        ({7: "a"}, "expected the id of a document"),
    ],
)
def test_memory(texts, message):
    """The same rules as for files."""
    with pytest.raises(DataError, match=message):
        list(MemoryDocuments(texts))


@pytest.mark.parametrize("name", ["a.tsv", "a.jsonl"])
def test_empty_files(tmp_path, name):
    """An empty corpus is an error, with or without lines."""
    for content in (b"", b"\n\n", b"\xef\xbb\xbf"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=rf"{name} has no documents"):
            open_source(str(tmp_path / name))
