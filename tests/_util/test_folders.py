"""A folder is replaced whole; what belongs to others stays; a record notices what was damaged."""

from __future__ import annotations

import pytest

from hybrid_qproj._util import folders
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
