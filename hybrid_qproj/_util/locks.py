"""One writer at a time: a lock file that names its owner and that a dead owner does not hold."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from hybrid_qproj.errors import HybridQprojError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class LockedError(HybridQprojError, RuntimeError):
    """Somebody else is writing there just now."""


@contextmanager
def exclusive(path: Path, what: str) -> Iterator[None]:
    """Hold a lock file while a block runs.

    The system lets go of it when its owner dies, however it dies; what is left of the file then is no lock.

    Args:
        path: the lock file; its folder must be there.
        what: that is written, for the message.

    Raises:
        LockedError: another process, or another part of this one, holds it; the message names it.
    """
    handle = _acquire(path, what)
    try:
        owner = {
            "process": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(owner).encode(), 0)
        yield
    finally:
        # Removed while it is held: whoever waits for this file sees that it is gone and makes a new one.
        # Where it cannot be removed (the disk is only read by now), what was written is whole all the same.
        with suppress(OSError):
            path.unlink(missing_ok=True)
        os.close(handle)


def _acquire(path: Path, what: str) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if not lock_descriptor(handle, wait=False):
            owner = _owner(handle)
            os.close(handle)
            raise LockedError(f"{what} is being written by {owner}; wait until it is done, then run again")
        try:
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        except FileNotFoundError:
            pass
        os.close(handle)


def _owner(handle: int) -> str:
    try:
        owner = json.loads(os.pread(handle, 4096, 0))
        return f"process {int(owner['process'])} on {owner['host']} since {owner['since']}"
    except (ValueError, KeyError, TypeError):
        return "another process"


def lock_descriptor(handle: int, wait: bool) -> bool:
    """Lock an open file for this descriptor alone.

    Args:
        handle: descriptor of a file open for writing.
        wait: whether to wait for another owner.

    Returns:
        whether it is locked now.
    """
    if fcntl is None:
        return _lock_on_windows(handle, wait)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def _lock_on_windows(handle: int, wait: bool) -> bool:
    import msvcrt  # noqa: PLC0415 - exists there only

    try:
        msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]  # there
    except OSError:
        return False
    return True
