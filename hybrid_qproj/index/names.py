"""The ids of a store, read when they are first asked for, by whichever thread."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from hybrid_qproj.index.errors import StoreError
from hybrid_qproj.index.shards import read_ids
from hybrid_qproj.index.view import View


class Names:
    """Ids of all rows, and where those are that were not removed.

    One view after the other is asked about, each grown from the one before.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._names: list[str] = []
        self._shards = 0
        self._places: dict[str, int] | None = None

    def all(self, view: View) -> list[str]:
        """Ids of all rows in their order, removed ones too.

        Raises:
            StoreError: a list of them is damaged, or an id is there twice.
        """
        with self._lock:
            later = view.manifest.shards[self._shards :]
            if later:
                names = [name for shard in later for name in read_ids(view.folder, shard)]
                _check_unique([*self._names, *names], view)
                self._names.extend(names)
                self._shards = len(view.manifest.shards)
            return self._names

    def places(self, view: View) -> dict[str, int]:
        """Positions of the documents that were not removed, by id; the caller does not change them.

        Raises:
            StoreError: as for `all`.
        """
        with self._lock:
            if self._places is None:
                self._places = {name: place for place, name in enumerate(self.all(view)) if place not in view.removed}
            return self._places

    def added(self, view: View, ids: Sequence[str]) -> None:
        """Take in the last shard of a view, whose ids are known; documents of the same ids are replaced."""
        with self._lock:
            if self._shards == len(view.manifest.shards) - 1:
                self._names.extend(ids)
                self._shards += 1
            if self._places is not None:
                first = view.manifest.rows - len(ids)
                self._places.update({name: first + place for place, name in enumerate(ids)})

    def dropped(self, ids: Sequence[str]) -> None:
        """Take in that documents were removed."""
        with self._lock:
            for name in ids:
                if self._places is not None:
                    self._places.pop(name, None)

    def forget_places(self) -> None:
        """Somebody else changed the store."""
        with self._lock:
            self._places = None


def _check_unique(names: Sequence[str], view: View) -> None:
    living = [name for place, name in enumerate(names) if place not in view.removed] if view.removed else names
    if len(set(living)) == len(living):
        return
    seen: set[str] = set()
    twice = next(name for name in living if name in seen or seen.add(name))  # type: ignore[func-returns-value]  # adds
    raise StoreError(f"{view.folder} is damaged: its lists of ids name document {twice!r} twice")
