"""Lines of text files: what ends them, what may stand before them, what is no text."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_qproj.retrieval import lines
from hybrid_qproj.retrieval.lines import is_file, is_folder, read_lines, split_lines
from hybrid_qproj.retrieval.rules import DataError

BOM = b"\xef\xbb\xbf"


def attempt(read, *arguments):
    """What is read, or what the error says."""
    try:
        return read(*arguments), None
    except DataError as error:
        return None, str(error)


def write(folder, content, packed=False):
    path = folder / ("a.tsv.gz" if packed else "a.tsv")
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a\nb\n", [(1, "a"), (2, "b")]),
        (b"a\r\n\r\nb", [(1, "a"), (3, "b")]),
        (b"a\r\r\nb\r", [(1, "a\r"), (2, "b")]),
        (BOM + b"a\n" + BOM + b"b\n", [(1, "a"), (2, "\ufeffb")]),
        (BOM + b"\na\n", [(2, "a")]),
        (BOM, []),
        (b"", []),
        ("a\u2028b\x85c\x0bd\x1ce\u00a0\n \nf".encode(), [(1, "a\u2028b\x85c\x0bd\x1ce\u00a0"), (2, " "), (3, "f")]),
    ],
)
def test_what_ends_a_line(tmp_path, content, expected, packed):
    """A line feed, perhaps after a carriage return; no other character, and no white space is lost."""
    assert list(read_lines(str(write(tmp_path, content, packed)))) == expected


@given(
    parts=st.lists(st.sampled_from(["a", "\r", "\n", "\r\n", "\ufeff", "ä", " ", "\t"]), max_size=14),
    size=st.integers(1, 4),
)
@settings(max_examples=60)
def test_spans_are_the_lines(tmp_path_factory, parts, size):
    """Whatever the ends of lines, and with a byte-order mark: the parts together are the whole."""
    path = write(tmp_path_factory.mktemp("lines"), "".join(parts).encode())
    whole, error = attempt(lambda: list(read_lines(path)))
    if error:
        assert "carriage returns alone" in error
        return
    spans = split_lines(path, size)
    assert [line for span in spans for line in read_lines(path, span)] == whole
    assert [len(list(read_lines(path, span))) for span in spans[:-1]] == [size] * (len(spans) - 1)


@given(content=st.binary(max_size=80), packed=st.booleans(), zipped=st.booleans())
@settings(max_examples=60)
def test_any_bytes(tmp_path_factory, content, packed, zipped):
    """Lines, or an error that names the file."""
    path = tmp_path_factory.mktemp("bytes") / ("a.txt.gz" if packed else "a.txt")
    path.write_bytes(gzip.compress(content, mtime=0)[: -1 - len(content) % 9] if zipped else content)
    found, error = attempt(lambda: list(read_lines(path)))
    assert path.name in error if error else all("\n" not in line for _, line in found)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("d1\ta\n".encode("utf-16"), "is UTF-16 or no text at all; convert it to UTF-8"),
        ("d1\ta\n".encode("utf-16-be"), "is UTF-16 or no text at all"),
        (b"\xfe\xff\x00d", "is UTF-16 or no text at all"),
        ("d1\ta\n".encode("utf-32"), "is UTF-16 or no text at all"),
        (b"d1\ta\rd2\tb\r", "separates lines by carriage returns alone"),
        (b"d1\ta\rd2\tb", "separates lines by carriage returns alone"),
        (gzip.compress(b"d1\ta\n", mtime=0), r"compressed by gzip; let its name end in \.gz"),
        (b"d1\ta\n\xff\n", "line 2: not UTF-8"),
        (b"d1\t\xed\xa0\x80\n", "line 1: not UTF-8"),
    ],
)
def test_what_is_no_text(tmp_path, content, message):
    """Each is an error that says what to do, and none is read as something else."""
    with pytest.raises(DataError, match=rf"a\.tsv.*{message}"):
        list(read_lines(write(tmp_path, content)))


@pytest.mark.parametrize("packed", [False, True])
def test_longest_line(tmp_path, packed, monkeypatch):
    """A file that never ends a line does not fill the memory: no more is read than a line may have."""
    monkeypatch.setattr(lines, "LONGEST_LINE", 1000)
    path = write(tmp_path, b"a" * 1000 + b"\n" + b"b" * 5000, packed)
    with pytest.raises(DataError, match="line 1: longer than 1,000 bytes"):
        list(read_lines(path))
    assert [len(line) for _, line in read_lines(write(tmp_path, b"a" * 999 + b"\n" + b"b" * 1000, packed))] == [
        999,
        1000,
    ]


def test_what_cannot_be_opened(tmp_path):
    """A folder, a name that is too long or holds a NUL, nothing."""
    for path in (tmp_path, "x" * 500, "a\0b", tmp_path / "none"):
        with pytest.raises(DataError):
            list(read_lines(path))
        with pytest.raises(DataError):
            split_lines(path, 3)
        assert not is_file(path)
    assert is_folder(tmp_path)
    assert not is_folder("x" * 500)


def test_damaged_gzip(tmp_path):
    """A changed byte within the compressed data."""
    content = bytearray(gzip.compress(b"".join(b"d%d\ttext\n" % i for i in range(2000))))
    content[40:60] = bytes(20)
    path = tmp_path / "a.tsv.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.tsv\.gz is cut off or no gzip file|not UTF-8"):
        list(read_lines(path))
