"""Files that appear whole or not at all, and files of strangers that are read with care.

A file is written under a temporary name beside its own, synced, then renamed. Its writer holds a lock on the temporary
file until then, and the system lets go of a dead process's locks: so the next writer can tell what a killed run left
over, and removes it.
"""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from hybrid_qproj._util.locks import lock_descriptor
from hybrid_qproj._util.strict_json import parse_json
from hybrid_qproj.errors import HybridQprojError

SUFFIX = ".tmp"
"""Ends the name of a file, or folder, that is not whole yet; a dot begins it."""
SMALL = 64 << 20
"""Bytes of a JSON or TOML file at most, unless its reader says otherwise."""


class OutputError(HybridQprojError, OSError):
    """A result that could not be written; what was there before is still there."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name beside it, then rename it.

    Args:
        path: the file.
        content: its bytes.

    Raises:
        OutputError: it could not be written (no such folder, full disk, no permission); an older file is unchanged.
    """
    with replace_file(path) as temporary, temporary.open("wb") as file:
        file.write(content)


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """A temporary file to be written by any library, which takes the place of `path` when the block ends without error.

    Args:
        path: the file that is wanted.

    Yields:
        an empty file beside it, of the same suffix.

    Raises:
        OutputError: it could not be written; an older file is unchanged.
    """
    with writing(path):
        remove_leftovers(path)
        with _temporary(path) as (temporary, file):
            with named(temporary, path):
                yield temporary
            _sync(temporary)
            # The library may have put another file in the place of ours.
            temporary.chmod(usual_mode(0o666))
            temporary.replace(path)
            sync_folder(path.parent)
            del file


def usual_mode(mode: int) -> int:
    """A mode without what the user's umask takes from it.

    Args:
        mode: 0o666 of a file, 0o777 of a folder.
    """
    try:
        # Asking the system sets it, for all threads: where it is written down, it is read.
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        mask = int(status.split("Umask:")[1].split()[0], 8)
    except (OSError, ValueError, IndexError):
        mask = os.umask(0o022)
        os.umask(mask)
    return mode & ~mask


@contextmanager
def named(temporary: Path, path: Path) -> Iterator[None]:
    """Tell errors of what is written under a temporary name by the name that it will have.

    Args:
        temporary: the file or folder that is written.
        path: what it will be.
    """
    try:
        yield
    except OutputError as error:
        raise OutputError(str(error).replace(str(temporary), str(path))) from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Tell errors of the system while `path` is written by its name, not by that of a temporary file.

    Raises:
        OutputError: in place of any other OSError, and of what libraries make of one.
    """
    try:
        yield
    except HybridQprojError:
        raise
    except Exception as error:
        reason, number = system_error(error)
        if reason is None:
            raise
        advice = {
            errno.ENOSPC: "; make room and run again",
            errno.EDQUOT: "; make room and run again",
            errno.ENOENT: f"; is there a folder {str(path.parent)!r}?",
        }.get(number, "")
        raise OutputError(
            f"{path} could not be written: {reason}; what was there before is unchanged{advice}"
        ) from error


def system_error(error: Exception) -> tuple[str | None, int]:
    """What the system said to a library that wrote or read a file.

    Args:
        error: an OSError, or what a library made of one.

    Returns:
        the reason in words, None if it is no error of the system, and its number, 0 if it is not known.
    """
    if isinstance(error, OSError):
        if error.errno:
            return os.strerror(error.errno), error.errno
        # Libraries raise some without a number.
        return (str(error).splitlines() or [type(error).__name__])[0], 0
    text = str(error)
    # Those written in Rust give the number in words.
    if found := re.search(r"\(os error (\d{1,3})\)", text):
        return os.strerror(int(found[1])), int(found[1])
    # torch says that it could not, and not why.
    if isinstance(error, RuntimeError) and "PytorchStreamWriter" in text:
        return "a file was cut short, as on a full disk", 0
    return None, 0


@contextmanager
def _temporary(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A new file beside `path`, locked, and gone at the end unless it was renamed."""
    while True:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=f"{SUFFIX}{path.suffix}")
        temporary, file = Path(name), os.fdopen(handle, "r+b")
        lock_descriptor(file.fileno(), wait=True)
        # Somebody may have taken it for a left-over before it was locked.
        if temporary.exists():
            break
        file.close()
    try:
        yield temporary, file
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
        file.close()


def remove_leftovers(path: Path) -> None:
    """Remove temporary files of `path` whose writers are gone.

    Args:
        path: the file that they were to become.
    """
    name = _escaped(path.name)
    # Two dots: of a writer that was given a temporary name, and wrote that under another.
    for pattern in (f".{name}.*{SUFFIX}*", f"..{name}.*{SUFFIX}*"):
        for leftover in path.parent.glob(pattern):
            with suppress(OSError), leftover.open("r+b") as file:
                if lock_descriptor(file.fileno(), wait=False):
                    leftover.unlink()


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make renames in a folder last through a loss of power, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_bounded(path: Path, limit: int = SMALL) -> bytes:
    """Read a file that somebody else may have written.

    Args:
        path: the file.
        limit: bytes at most.

    Returns:
        its bytes.

    Raises:
        ValueError: it is no regular file, or larger.
        OSError: it cannot be read.
    """
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is no regular file")
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"{path} is larger than {limit:,} bytes; expected a small file")
    return content


def read_json(path: Path, limit: int = SMALL) -> Any:
    """Read a JSON file that somebody else may have written.

    Args:
        path: UTF-8.
        limit: bytes at most.

    Returns:
        the value; see `parse_json`.

    Raises:
        ValueError: no JSON, or one that could be read in two ways; the message names the file.
        OSError: it cannot be read.
    """
    try:
        return parse_json(read_bounded(path, limit).decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 ({error.reason} at byte {error.start})") from error
    except ValueError as error:
        message = str(error)
        raise ValueError(message if message.startswith(str(path)) else f"{path} is no JSON: {message}") from error
