"""Files appear whole or not at all; a killed writer's left-overs are removed; a stranger's JSON is read with care."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from hybrid_qproj._util.files import OutputError, read_json, replace_file, write_atomically
from hybrid_qproj._util.strict_json import parse_json


def interrupt(_):
    raise KeyboardInterrupt


def hidden(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "a[1].json"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert not hidden(tmp_path)


def test_an_error_in_the_middle_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.bin"
    write_atomically(path, b"old")
    with pytest.raises(KeyboardInterrupt), replace_file(path) as temporary:
        interrupt(temporary.write_bytes(b"half"))
    assert path.read_bytes() == b"old"
    assert not hidden(tmp_path)


def test_a_full_disk_is_told_by_the_name_of_the_file(tmp_path):
    path = tmp_path / "a.bin"
    write_atomically(path, b"old")
    with (
        pytest.raises(OutputError, match=r"a\.bin could not be written: No space left.*make room") as caught,
        replace_file(path),
    ):
        raise OSError(errno.ENOSPC, "full")
    assert ".tmp" not in str(caught.value)
    assert path.read_bytes() == b"old"


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(OutputError, match=r"is there a folder .*none"):
        write_atomically(tmp_path / "none" / "a.bin", b"")


@pytest.mark.parametrize("alive", [True, False])
def test_only_a_dead_writers_file_is_removed(tmp_path, alive):
    path = tmp_path / "a.bin"
    code = (
        "import sys, time; from pathlib import Path; from hybrid_qproj._util.files import replace_file\n"
        "with replace_file(Path(sys.argv[1])) as t: t.write_bytes(b'half'); print('ready', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "ready\n"
        assert len(hidden(tmp_path)) == 1
        if not alive:
            os.kill(writer.pid, signal.SIGKILL)
            writer.wait()
        write_atomically(path, b"mine")
        assert len(hidden(tmp_path)) == alive
        writer.kill()
    assert path.read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "a": 1}', "'a' stands there twice"),
        ("[NaN]", "NaN is no number"),
        ("-Infinity", "-Infinity is no number"),
        ("1e999", "out of range"),
        ("9" * 5000, "out of range"),
        ("[" * 100_000, "nested"),
        ("{", "Expecting property name"),
    ],
)
def test_json_that_could_be_read_in_two_ways_is_refused(tmp_path, text, message):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        parse_json(text)
    with pytest.raises(ValueError, match=r"a\.json is no JSON"):
        read_json(path)


@given(st.binary(max_size=200))
@limits(max_examples=50)
def test_any_bytes_are_a_value_or_an_error_with_the_files_name(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("json") / "a.json"
    path.write_bytes(content)
    try:
        read_json(path)
    except ValueError as error:
        assert str(path) in str(error)  # noqa: PT017 - the other outcome is a value


def test_a_file_larger_than_its_limit_is_not_read(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b" " * 100)
    with pytest.raises(ValueError, match=r"a\.json is larger than 10 bytes"):
        read_json(path, limit=10)
