"""Whether an id came before, for streams of any length."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from hybrid_qproj._util.excerpts import show
from hybrid_qproj.errors import DataError

IDS_AT_ONCE = 1 << 16
"""Ids that are held as they are; older ones take eight bytes each."""

ONE_ID = "each document needs an id of its own"
"""What to do about one that is there twice."""


class SeenIds:
    """Hashes of the ids seen so far: eight bytes an id, so that a corpus of millions is checked while it streams.

    What is remembered are hashes, and the latest `IDS_AT_ONCE` of them meet the older ones together: an id that came
    long before is noticed at most that many ids late, and with `rest` at the end.
    """

    def __init__(self) -> None:
        self._new: set[int] = set()
        self._old: list[np.ndarray] = []

    def add(self, name: str) -> set[int]:
        """Take in an id.

        Args:
            name: the id.

        Returns:
            hashes that came twice, perhaps of two ids that are not the same; mostly none.
        """
        code = hash(name)
        if code in self._new:
            return {code}
        self._new.add(code)
        return self.rest() if len(self._new) == IDS_AT_ONCE else set()

    def rest(self) -> set[int]:
        """Hashes that came twice, of the ids that were not yet looked for."""
        batch = np.sort(np.fromiter(self._new, np.int64, len(self._new)))
        self._new = set()
        twice: set[int] = set()
        for known in self._old:
            places = np.searchsorted(known, batch)
            places[places == len(known)] = 0
            twice.update(batch[known[places] == batch].tolist())
        # Arrays of like length become one, so that there are never many.
        while self._old and len(self._old[-1]) <= len(batch):
            batch = np.sort(np.concatenate([self._old.pop(), batch]))
        self._old.append(batch)
        return twice


def refuse_twice(names: Callable[[], Iterator[tuple[str, str]]], codes: set[int], hint: str) -> None:
    """Read ids again to see which one is there twice.

    Args:
        names: gives an iterator of where each id stands, and the id.
        codes: hashes that came twice.
        hint: what to do.

    Raises:
        DataError: an id is there twice; two ids of one hash are no error.
    """
    first: dict[str, str] = {}
    for where, name in names():
        if hash(name) in codes:
            if name in first:
                raise DataError(f"{where}: the id {show(name)} came before, in {first[name]}; {hint}")
            first[name] = where
