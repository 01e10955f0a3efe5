"""A folder of files that belong together: it is replaced whole, or stays as it was.

The new folder is written beside the old one and takes its place in one step. What the old folder held beside its own
files (somebody's notes, a repository) is taken along. A record of the files with their digests binds them: a file that
was damaged, exchanged or left over from another folder is noticed.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from hybrid_qproj._util.files import SUFFIX, named, read_json, sync_folder, usual_mode, writing
from hybrid_qproj._util.locks import exclusive

PREVIOUS = ".previous"
"""Ends the name under which a folder waits while another takes its place, where the system cannot exchange two."""
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextmanager
def replace_folder(path: Path, owned: Callable[[Path], set[str]]) -> Iterator[Path]:
    """A new folder to be filled, which takes the place of `path` when the block ends without error.

    Args:
        path: the folder that is wanted; its parents are made.
        owned: of the folder that is there now, paths of the files (relative, with slashes) that a new one replaces; all
            others are taken along unless the new folder has files of their names.

    Yields:
        an empty folder beside it.

    Raises:
        OutputError: it could not be written; an older folder is unchanged.
        LockedError: another process is replacing it.
    """
    given, path = path, path.resolve()
    with writing(given):
        path.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(path.parent / f".{path.name}.lock", str(given)):
            settle(path)
            # The lock is ours, so nobody is filling it; that of a folder "name.more" is somebody else's.
            left = re.compile(rf"\.{re.escape(path.name)}\.[a-z0-9_]+{re.escape(SUFFIX)}")
            for leftover in [place for place in path.parent.iterdir() if left.fullmatch(place.name)]:
                shutil.rmtree(leftover, ignore_errors=True)
            staging = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=SUFFIX))
            try:
                with named(staging, given):
                    yield staging
                _open_up(staging)
                if path.is_dir():
                    _take_along(path, staging, owned(path))
                _sync_tree(staging)
                _put(staging, path)
                sync_folder(path.parent)
            finally:
                shutil.rmtree(staging, ignore_errors=True)


def _open_up(folder: Path) -> None:
    """Give files and folders the modes that the user's own have: some libraries write for their owner alone."""
    for place, _, files in os.walk(folder):
        Path(place).chmod(usual_mode(0o777))
        for name in files:
            if not (Path(place) / name).is_symlink():
                (Path(place) / name).chmod(usual_mode(0o666))


def settle(path: Path) -> None:
    """Finish what a killed process began: a folder that waits to be replaced comes back if nothing took its place.

    Args:
        path: the folder.
    """
    previous = path.parent / f".{path.name}{PREVIOUS}"
    if previous.is_dir():
        if path.exists():
            shutil.rmtree(previous, ignore_errors=True)
        else:
            previous.rename(path)


def _take_along(old: Path, new: Path, owned: set[str]) -> None:
    for folder, folders, files in os.walk(old):
        relative = Path(folder).relative_to(old)
        # A link to a folder is taken along as a link.
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in (*files, *links):
            target = new / relative / name
            if PurePosixPath(relative / name).as_posix() in owned or os.path.lexists(target):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(Path(folder) / name, target, follow_symlinks=False)


def _sync_tree(folder: Path) -> None:
    for place, _, files in os.walk(folder):
        for name in files:
            file = Path(place) / name
            if file.is_file() and not file.is_symlink():
                handle = os.open(file, os.O_RDONLY)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)
        sync_folder(Path(place))


def _put(new: Path, path: Path) -> None:
    """Let `new` take the place of `path`; what was there is under the name of `new` then, or gone."""
    if not path.exists():
        new.rename(path)
    elif not _exchange(new, path):
        previous = path.parent / f".{path.name}{PREVIOUS}"
        path.rename(previous)
        new.rename(path)
        shutil.rmtree(previous, ignore_errors=True)


def _exchange(a: Path, b: Path) -> bool:
    """Exchange two names in one step, where the system can (Linux's renameat2)."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None) if os.name == "posix" else None
    if rename is None:
        return False
    return rename(_AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), _RENAME_EXCHANGE) == 0


def describe_files(folder: Path, exclude: Callable[[str], bool] = lambda name: False) -> dict[str, str]:
    """Digests of the files of a folder and its subfolders.

    Args:
        folder: the folder.
        exclude: whether a file, by its relative path with slashes, is left out.

    Returns:
        relative path with slashes -> SHA-256, in hexadecimal.
    """
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name: file_digest(folder / name) for name in names if not exclude(name)}


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_files(folder: Path, expected: Mapping[str, str]) -> None:
    """Make sure that files are those that were written together.

    Args:
        folder: of the files.
        expected: relative path with slashes -> SHA-256.

    Raises:
        ValueError: one is missing, damaged or another; the message names it.
    """
    for name, digest in expected.items():
        path = folder / name
        if not inside(folder, name):
            raise ValueError(f"a record in {folder} names {name!r}, which lies outside of it")
        if not path.is_file():
            raise ValueError(f"{path} is missing")
        if file_digest(path) != digest:
            raise ValueError(
                f"{path} is not the file that was written with the others: it was damaged, exchanged or edited since"
            )


def inside(folder: Path, name: Any) -> bool:
    """Whether a name that a file gave is a relative path to something within a folder, links followed."""
    if not isinstance(name, str) or not name or "\0" in name or "\\" in name or PurePosixPath(name).is_absolute():
        return False
    try:
        place = (folder / name).resolve()
        return not _goes_round(place) and any(place.is_relative_to(home) for home in homes(folder))
    except (ValueError, RuntimeError):
        # Half of a pair of letters; links in a circle, up to Python 3.12.
        return False


def _goes_round(place: Path) -> bool:
    """Whether a path that is resolved as far as can be still has links in it, in a circle: from Python 3.13 on."""
    try:
        place.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def is_folder(path: Path) -> bool:
    """Whether there is such a folder; there is none of a name that the system does not take, which pathlib raises."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Whether there is such a regular file; see `is_folder`."""
    try:
        return path.is_file()
    except OSError:
        return False


def homes(folder: Path) -> list[Path]:
    """Where the files of a folder may lie: in it, or where a hub's cache, to which it belongs, keeps each file once."""
    home = folder.resolve()
    caches = [place.parent / "blobs" for place in home.parents if place.name == "snapshots"]
    return [home, *caches[:1]]


def read_record(path: Path, form: str) -> dict[str, Any] | None:
    """A record that binds files.

    Args:
        path: the JSON file.
        form: the value that its key ``"format"`` must have.

    Returns:
        the record, or None where there is no such file.

    Raises:
        ValueError: it is damaged, or of another format.
    """
    if not path.exists():
        return None
    record = read_json(path)
    if not isinstance(record, dict) or record.get("format") != form:
        raise ValueError(f"{path} is not of the format {form!r}")
    return record
