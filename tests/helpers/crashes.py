"""A process that dies at its n-th change of the disk, without the process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock


class Crash(BaseException):
    """Death: nothing of what follows happens on the disk, tidying up least of all."""


class Disk:
    """Counts what changes the disk.

    Attributes:
        changes: so far.
        dead: whether nothing changes any more.
    """

    def __init__(self, last: int | None) -> None:
        self._last, self.changes, self.dead = last, 0, False

    def change(self) -> None:
        if self.dead:
            raise Crash
        if self.changes == self._last:
            self.dead = True
            raise Crash
        self.changes += 1


@contextmanager
def crash_after(changes: int | None) -> Iterator[Disk]:
    """Die when one more file would appear, be renamed or be removed than is allowed.

    Args:
        changes: that still happen; None to count them only.

    Yields:
        the count; the block ends early, without an error, when the process would have died.
    """
    disk = Disk(changes)
    replace, unlink, open_file = Path.replace, Path.unlink, os.open

    def replaced(self, target):
        disk.change()
        return replace(self, target)

    def unlinked(self, missing_ok=False):
        if disk.dead:
            return
        if not self.name.endswith(".lock"):
            if missing_ok and not self.exists():
                return
            disk.change()
        unlink(self, missing_ok=missing_ok)

    def opened(path, flags, *rest, **options):
        # Temporary files are made by this; a lock's file is no change that anybody sees.
        if flags & os.O_CREAT and not str(path).endswith(".lock"):
            disk.change()
        return open_file(path, flags, *rest, **options)

    with (
        mock.patch.object(Path, "replace", replaced),
        mock.patch.object(Path, "unlink", unlinked),
        mock.patch.object(os, "open", opened),
    ):
        try:
            yield disk
        except Crash:
            assert disk.dead
