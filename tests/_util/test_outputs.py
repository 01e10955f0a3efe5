"""Folders and files of results: what is refused before any work, and what stays."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys

import pytest

from hybrid_qproj._util import files, outputs
from hybrid_qproj._util.files import OutputError
from hybrid_qproj._util.locks import LockedError
from hybrid_qproj._util.outputs import LOCK, check_file, check_folder, output_folder, write_together


def test_one_writer_at_a_time(tmp_path):
    """The second is told who the first is; afterwards nothing is left of the lock."""
    with (
        output_folder(tmp_path / "a" / "b", "a training run"),
        pytest.raises(LockedError, match=f"is being written by process {os.getpid()}"),
        output_folder(tmp_path / "a" / "b", "a training run"),
    ):
        pass
    assert list((tmp_path / "a").iterdir()) == [tmp_path / "a" / "b"]
    assert not list((tmp_path / "a" / "b").iterdir())


def test_a_dead_owner_holds_nothing(tmp_path):
    """Killed in the middle of its work."""
    code = (
        "import os, sys; from pathlib import Path; from hybrid_qproj._util.outputs import output_folder\n"
        "with output_folder(Path(sys.argv[1]), 'a training run'): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "x")], check=False).returncode == 9
    assert (tmp_path / "x" / LOCK).exists()
    with output_folder(tmp_path / "x", "a training run"):
        pass
    assert not (tmp_path / "x" / LOCK).exists()


def test_nothing_stays_of_a_run_that_made_nothing(tmp_path):
    """An error before the first file; what was there before is not touched."""
    for name in ("new", "old"):
        if name == "old":
            (tmp_path / name).mkdir()
        with pytest.raises(ValueError, match="no"), output_folder(tmp_path / name, "a training run"):
            raise ValueError("no")
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize(("mark", "what"), [("modules.json", "a saved model"), ("cells", "results of compare")])
def test_folders_of_other_commands(tmp_path, mark, what):
    """Results are not mixed."""
    (tmp_path / mark).mkdir()
    with pytest.raises(OutputError, match=f"holds {what}; choose another folder for a training run"):
        check_folder(tmp_path, "a training run")
    check_folder(tmp_path, what)


def test_what_is_no_place(tmp_path):
    """A file where a folder is wanted, a folder where a file is, and neither."""
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file is a file; expected a folder"):
        check_folder(tmp_path / "file", "a training run")
    with pytest.raises(OutputError, match=r"'file' is a file, no folder"):
        check_folder(tmp_path / "file" / "a" / "b", "a training run")
    with pytest.raises(OutputError, match="is a folder; expected the name of a file"):
        check_file(tmp_path)
    with pytest.raises(OutputError, match=r"there is no folder '.*nodir'"):
        check_file(tmp_path / "nodir" / "u.png")


def test_files_that_belong_together(tmp_path, monkeypatch):
    """If one cannot be written, none has changed."""
    write_together(tmp_path, {"a": b"1", "b": b"1", "c": lambda path: path.write_bytes(b"1")})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"1", "b": b"1", "c": b"1"}

    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutputError, match=r"/b could not be written: No space left on device; .*; make room"):
        write_together(tmp_path, {"a": b"2", "b": full, "c": b"2"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"1", "b": b"1", "c": b"1"}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "x"), "No space left on device"),
        (ValueError("Error while serializing: I/O error: No space left on device (os error 28)"), "No space left"),
        (RuntimeError("[enforce fail] PytorchStreamWriter failed writing file data/0"), "cut short"),
        (OSError("a library's own words\nand more"), "a library's own words"),
    ],
)
def test_errors_of_libraries(tmp_path, error, reason):
    """By the name of the file, with what the system said."""
    with (
        pytest.raises(OutputError, match=f"{tmp_path / 'x'} could not be written: .*{reason}"),
        files.writing(tmp_path / "x"),
    ):
        raise error


def test_other_errors_stay(tmp_path):
    """They are not of the system."""
    with pytest.raises(RuntimeError, match="bug"), outputs.writing(tmp_path):
        raise RuntimeError("bug")


MOUNT, UMOUNT = (str(shutil.which(name)) for name in ("mount", "umount"))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KiB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root mounts a file system")
    made = subprocess.run(
        [MOUNT, "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], check=False, capture_output=True
    )
    if made.returncode != 0:
        pytest.skip("mounting is not allowed here")
    yield place
    subprocess.run([UMOUNT, str(place)], check=False)


def test_a_full_disk(small_disk):
    """A real one: what was there stays, and what was begun is gone."""
    (small_disk / "a").write_bytes(b"old")
    with pytest.raises(OutputError, match=r"disk/b could not be written: No space left on device"):
        write_together(small_disk, {"a": b"new", "b": bytes(1 << 20)})
    assert {path.name: path.read_bytes() for path in small_disk.iterdir()} == {"a": b"old"}
    subprocess.run([MOUNT, "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(OutputError, match=r"disk/x could not be written: Read-only file system; choose another place"):
        check_folder(small_disk / "x", "a training run")
