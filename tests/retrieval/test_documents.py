"""Documents as a stream, from files in the formats people have."""

from __future__ import annotations

import gzip

import pytest

from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval.document_files import JsonlDocuments, TsvDocuments, open_documents
from hybrid_qproj.retrieval.documents import Document, MemoryDocuments

TSV = "d1\ta cat\n\nd2\tein Käfig\twith a tab\n"
LONG = "".join(f"d{i}\ta\n" for i in range(1000)).encode()
JSONL = '{"_id": "d1", "title": "Cats", "text": "a cat"}\n{"_id": "d2", "text": "a dog"}\n'


@pytest.mark.parametrize("packed", [False, True])
def test_tsv(tmp_path, packed):
    """Id, tab, text; a text may hold tabs, a file may be compressed, empty lines do not count."""
    path = tmp_path / ("docs.tsv.gz" if packed else "docs.tsv")
    path.write_bytes(gzip.compress(TSV.encode()) if packed else TSV.encode())
    documents = open_documents(path)
    expected = [Document("d1", "a cat"), Document("d2", "ein Käfig\twith a tab")]
    assert list(documents) == list(documents) == expected


def test_beir_joins_title_and_text(tmp_path):
    """A missing title is none."""
    (tmp_path / "corpus.jsonl").write_text(JSONL)
    assert list(JsonlDocuments(tmp_path / "corpus.jsonl")) == [Document("d1", "Cats a cat"), Document("d2", "a dog")]


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_get_keeps_the_order_asked_for(tmp_path, kind):
    """Ids that do not exist are left out; one given twice comes once."""
    (tmp_path / "docs.tsv").write_text(TSV)
    stream = TsvDocuments(tmp_path / "docs.tsv")
    documents = MemoryDocuments({d.id: d.text for d in stream}) if kind == "memory" else stream
    assert list(documents.get(["d2", "none", "d1", "d2"])) == ["d2", "d1"]
    assert documents.get([]) == {}


def test_get_reads_to_the_end(tmp_path):
    """A wanted id that is there again behind the last wanted document is seen nowhere else."""
    (tmp_path / "docs.tsv").write_text("d1\ta cat\nd2\ta dog\nd1\tanother cat\n")
    with pytest.raises(DataError, match=r"docs\.tsv, line 3: the id 'd1' came before, in .*docs\.tsv, line 1; each"):
        TsvDocuments(tmp_path / "docs.tsv").get(["d1"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", b"d1\ta\nno tab\n", r"a\.tsv, line 2: 'no tab'; expected an id, a tab and the text"),
        ("a.tsv", b"\ttext\n", "line 1"),
        ("a.tsv", b"d1\t\xff\n", r"line 1: not UTF-8 .*; convert the file"),
        ("a.jsonl", b'{"_id": "d1", "text": "a"}\n{"_id": \n', "line 2: .*expected a JSON object"),
        ("a.jsonl", b"[1]\n", r"line 1: '\[1\]'; expected a JSON object"),
        ("a.jsonl", b'{"docid": "d1", "text": "a"}\n', r"keys \['docid', 'text'\]; expected _id and text"),
        ("a.jsonl", b'{"_id": "d1", "contents": "a"}\n', r"keys \['_id', 'contents'\]; expected _id and text"),
        ("a.tsv.gz", gzip.compress(LONG, mtime=0)[:-12], "is cut off or no gzip file"),
        ("a.tsv.gz", b"no gzip", "is cut off or no gzip file"),
    ],
)
def test_malformed_files(tmp_path, name, content, message):
    """Each error names the file, and the line where there is one."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(open_documents(tmp_path / name))


def test_missing_file_and_unknown_suffix(tmp_path):
    """Two ways to name a file that is none."""
    with pytest.raises(DataError, match="no file"):
        list(open_documents(tmp_path / "none.tsv"))
    with pytest.raises(DataError, match=r"expected documents as \.tsv or \.jsonl"):
        open_documents(tmp_path / "docs.csv")


@pytest.mark.parametrize("name", ["a.tsv", "a.tsv.gz", "a.jsonl"])
@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_split(tmp_path, name, size):
    """Parts are the documents in order, whatever the lines' length and however many are empty."""
    lines = []
    for i in range(10):
        text = "ä" * i
        lines.append(f"{i}\t{text}\n" if "tsv" in name else f'{{"_id": "{i}", "text": "{text}"}}\n')
        lines += ["\n"] * (i % 3)
    content = "".join(lines).encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content.rstrip())
    whole = open_documents(path)
    parts = whole.split(size)
    assert [len(list(part)) for part in parts[:-1]] == [size] * (len(parts) - 1)
    assert [document for part in parts for document in part] == list(whole)
    assert [document for part in parts[0].split(2) for document in part] == list(parts[0])


def test_errors_in_a_part_name_the_line(tmp_path):
    """Counted from the beginning of the file."""
    path = tmp_path / "a.tsv"
    path.write_text("1\ta\n\n2\tb\nno tab\n")
    with pytest.raises(DataError, match="line 4: 'no tab'"):
        list(open_documents(path).split(2)[1])
    with pytest.raises(DataError, match="no file"):
        open_documents(tmp_path / "b.tsv").split(2)
