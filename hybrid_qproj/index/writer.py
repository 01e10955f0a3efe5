"""The lock of a store's folder, held by one writer at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hybrid_qproj._util.files import writing
from hybrid_qproj._util.locks import exclusive

LOCK = ".lock"


class Writer:
    """A lock that can be taken again by who has it. Threads that share a `Writer` wait; all others are refused.

    Args:
        folder: the store's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._threads = threading.RLock()
        self._depth = 0

    @contextmanager
    def hold(self) -> Iterator[bool]:
        """Hold the lock.

        Yields:
            whether it was not held yet.

        Raises:
            LockedError: another process, or another store object of this one, holds it; the message names it.
            OutputError: the folder cannot be written.
        """
        with self._threads, ExitStack() as stack:
            if not self._depth:
                with writing(self._folder):
                    stack.enter_context(exclusive(self._folder / LOCK, str(self._folder)))
            self._depth += 1
            try:
                yield self._depth == 1
            finally:
                self._depth -= 1
