"""Where a command writes its result: seen to be possible before any work is done, and held by one writer at a time."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from hybrid_qproj._util.files import OutputError, replace_file, writing
from hybrid_qproj._util.locks import exclusive

LOCK = ".lock"
MARKS = {
    "a saved model": ("modules.json",),
    "a training run": ("run.json",),
    "results of compare": ("cells", "results.json"),
    "results of evaluate": ("measures.json",),
    "a report of demo": ("report.json", "comparison"),
    "encoded documents": ("angles-00000.safetensors", "index.json"),
}
"""What a folder holds -> files of which one is always there."""


@contextmanager
def output_folder(path: Path, what: str) -> Iterator[None]:
    """Hold a folder in which a command writes what it finds, from before its work to its end.

    Args:
        path: the folder; made if missing, and removed again where nothing came of it.
        what: a key of `MARKS`: what the folder may hold already.

    Raises:
        OutputError: it cannot be written, is a file, or holds what another command wrote.
        LockedError: another process writes there just now.
    """
    check_folder(path, what)
    new = not path.exists()
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
    try:
        with held(path / LOCK, path):
            yield
    except BaseException:
        if new:
            # Only where it is empty.
            with suppress(OSError):
                path.rmdir()
        raise


@contextmanager
def held(lock: Path, path: Path) -> Iterator[None]:
    """Hold a lock file while a block runs.

    Args:
        lock: the file; its folder is there.
        path: what is written, for messages.

    Raises:
        OutputError: the lock cannot be written.
        LockedError: another process holds it.
    """
    with ExitStack() as stack:
        # Errors of the block are not those of its lock.
        with writing(path):
            stack.enter_context(exclusive(lock, str(path)))
        yield


def write_together(folder: Path, files: Mapping[str, bytes | Callable[[Path], None]]) -> None:
    """Write files that belong together: all are written beside their places before the first takes its place.

    Args:
        folder: is there.
        files: name -> content, or what writes it to a path; the last one takes its place last.

    Raises:
        OutputError: one could not be written; none has changed.
    """
    with ExitStack() as stack:
        for name, content in reversed(list(files.items())):
            temporary = stack.enter_context(replace_file(folder / name))
            if isinstance(content, bytes):
                temporary.write_bytes(content)
            else:
                content(temporary)


def check_folder(path: Path, what: str) -> None:
    """Refuse a folder that a command could not write its result to; nothing is written.

    Args:
        path: the folder, there or not.
        what: a key of `MARKS`: what it may hold already.

    Raises:
        OutputError: it is a file, lies where nothing can be written, or holds what another command wrote.
    """
    _check_place(path)
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path} is a file; expected a folder, or a name that is free")
    for other, marks in MARKS.items():
        if other != what and any((path / mark).exists() for mark in marks) and not _is(path, what):
            raise OutputError(f"{path} holds {other}; choose another folder for {what}")


def check_file(path: Path) -> None:
    """Refuse a file that could not be written; nothing is written.

    Args:
        path: the file, there or not.

    Raises:
        OutputError: it is a folder, or its folder is missing or cannot be written.
    """
    if path.is_dir():
        raise OutputError(f"{path} is a folder; expected the name of a file")
    if not path.parent.exists():
        raise OutputError(f"{path} could not be written: there is no folder {str(path.parent)!r}")
    _check_place(path)


def _is(path: Path, what: str) -> bool:
    return any((path / mark).exists() for mark in MARKS[what])


def _check_place(path: Path) -> None:
    """See whether the nearest folder that exists may be written."""
    place = next((each for each in (path, *path.absolute().parents) if each.exists()), Path())
    if place.is_file() and place != path:
        raise OutputError(f"{path} could not be written: {place.name!r} is a file, no folder")
    # Asked of the system, so that a file system that is mounted for reading counts too.
    if not os.access(place, os.W_OK):
        number = errno.EROFS if os.access(place, os.R_OK) and os.geteuid() == 0 else errno.EACCES
        raise OutputError(f"{path} could not be written: {os.strerror(number)}; choose another place")
