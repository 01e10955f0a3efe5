"""A folder is replaced whole; what belongs to others stays; a record notices what was damaged."""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest

from hybrid_qproj._util import folders
from hybrid_qproj._util.files import write_atomically
from hybrid_qproj._util.folders import check_files, describe_files, inside, replace_folder, settle
from hybrid_qproj._util.locks import LockedError


def fill(folder, **files):
    for name, text in files.items():
        (folder / name).write_bytes(text.encode())


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("exchange", [True, False], ids=["exchanged", "renamed"])
def test_own_files_go_and_others_stay(tmp_path, monkeypatch, exchange):
    if not exchange:
        monkeypatch.setattr(folders, "_exchange", lambda a, b: False)
    path = tmp_path / "model"
    with replace_folder(path, lambda old: set()) as new:
        fill(new, config="1", stale="1")
    fill(path, notes="mine")
    (path / "repository").mkdir()
    fill(path / "repository", head="mine")
    with replace_folder(path, lambda old: {"config", "stale"}) as new:
        fill(new, config="2")
    assert names(path) == ["config", "notes", "repository"]
    assert (path / "config").read_text() == "2"
    assert (path / "repository" / "head").read_text() == "mine"
    assert names(tmp_path) == ["model"]


def test_an_error_leaves_the_old_folder(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    fill(path, config="1")
    with pytest.raises(AttributeError), replace_folder(path, lambda old: {"config"}) as new:
        fill(new, config="2", notes=None)
    assert (path / "config").read_text() == "1"
    assert names(tmp_path) == ["model"]


def test_a_second_writer_is_refused(tmp_path):
    first, second = (replace_folder(tmp_path / "model", lambda old: set()) for _ in range(2))
    with first, pytest.raises(LockedError, match="model is being written"):
        second.__enter__()


def test_a_folder_that_waits_comes_back(tmp_path):
    (tmp_path / ".model.previous").mkdir()
    fill(tmp_path / ".model.previous", config="1")
    settle(tmp_path / "model")
    assert (tmp_path / "model" / "config").read_text() == "1"
    (tmp_path / ".model.previous").mkdir()
    settle(tmp_path / "model")
    assert names(tmp_path) == ["model"]


def test_a_record_notices_each_change(tmp_path):
    fill(tmp_path, a="1", b="2", note="x")
    record = describe_files(tmp_path, lambda name: name == "note")
    assert sorted(record) == ["a", "b"]
    check_files(tmp_path, record)
    fill(tmp_path, a="3")
    with pytest.raises(ValueError, match="a is not the file that was written"):
        check_files(tmp_path, record)
    (tmp_path / "a").unlink()
    with pytest.raises(ValueError, match="a is missing"):
        check_files(tmp_path, record)


def test_names_that_lead_outside(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "out").symlink_to(tmp_path)
    for name in ("../x", "/etc/passwd", "out/x", "a/../../x", "", "\0", "..\\x", None, 3):
        assert not inside(tmp_path / "in", name)
    assert inside(tmp_path / "in", "a/b")
    with pytest.raises(ValueError, match="outside"):
        check_files(tmp_path / "in", {"../x": ""})


@pytest.mark.parametrize("others", [("a.more",), ("a.b", "a.b.c")])
def test_folders_of_like_names_are_written_at_once(tmp_path, others):
    with ExitStack() as stack:
        for name in others:
            fill(stack.enter_context(replace_folder(tmp_path / name, lambda _: set())), file=name)
        with replace_folder(tmp_path / "a", lambda _: set()) as staging:
            fill(staging, file="a")
    assert {name: (tmp_path / name / "file").read_text() for name in ("a", *others)} == {n: n for n in ("a", *others)}


def test_left_over_of_a_name_with_brackets(tmp_path):
    (tmp_path / ".a[1].k1lled_0.tmp").mkdir()
    with replace_folder(tmp_path / "a[1]", lambda _: set()) as staging:
        fill(staging, file="new")
    assert names(tmp_path) == ["a[1]"]


@pytest.mark.skipif(os.name != "posix", reason="no modes here")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_modes_follow_the_umask(tmp_path, mask):
    before = os.umask(mask)
    try:
        with replace_folder(tmp_path / "model", lambda _: set()) as staging:
            (staging / "sub").mkdir(mode=0o700)
            fill(staging / "sub", file="new")
            (staging / "sub" / "file").chmod(0o600)
        write_atomically(tmp_path / "alone", b"")
    finally:
        os.umask(before)
    places = [tmp_path / "model", tmp_path / "model" / "sub"]
    assert {place.stat().st_mode & 0o777 for place in places} == {0o777 & ~mask}
    files = [tmp_path / "model" / "sub" / "file", tmp_path / "alone"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o666 & ~mask}
