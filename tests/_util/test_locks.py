"""One writer at a time; a dead one holds nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from hybrid_qproj._util.locks import LockedError, exclusive

CODE = (
    "import sys, time; from pathlib import Path; from hybrid_qproj._util.locks import exclusive\n"
    "with exclusive(Path(sys.argv[1]), 'it'): print('ready', flush=True); time.sleep(60)"
)


def test_a_second_writer_is_told_who_is_first(tmp_path):
    path = tmp_path / ".lock"
    with exclusive(path, "the store"):
        with (
            pytest.raises(LockedError, match=rf"the store is being written by process {os.getpid()} on .* since"),
            exclusive(path, "the store"),
        ):
            pass
        assert path.exists()
    assert not path.exists()


def test_a_dead_writer_holds_nothing(tmp_path):
    path = tmp_path / ".lock"
    with subprocess.Popen([sys.executable, "-c", CODE, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "ready\n"
        with pytest.raises(LockedError, match=f"process {writer.pid}"), exclusive(path, "it"):
            pass
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
    assert path.exists()
    with exclusive(path, "it"):
        pass
    assert not path.exists()


def test_what_a_lock_file_says_is_not_believed(tmp_path):
    path = tmp_path / ".lock"
    path.write_text('{"process": "1; rm"}')
    with exclusive(path, "it"):
        path.write_text("no JSON")
        with pytest.raises(LockedError, match="by another process"), exclusive(path, "it"):
            pass
