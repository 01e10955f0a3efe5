"""Two writers of one store, who add, remove, replace, open again and die at any change of the disk: nothing is lost."""

from __future__ import annotations

import math
import shutil
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from helpers.crashes import crash_after
from hybrid_qproj._util.locks import LockedError
from hybrid_qproj.codec import Codec
from hybrid_qproj.index.store import AngleStore, StoreError

IDS = st.lists(st.sampled_from([f"d{number}" for number in range(12)]), min_size=1, max_size=4, unique=True)
WRITERS = st.integers(0, 1)


def names_one_of(error, names):
    assert any(repr(name) in str(error) for name in names), error


class TwoWriters(RuleBasedStateMachine):
    """Compared with a table: id -> the number by which its angles are known."""

    codec = None
    parts = 1000
    """Numbers in 1 that are told apart."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.documents: dict[str, float] = {}
        self.count = 0

    @initialize()
    def begin(self):
        AngleStore.create(self.folder, 3, codec=self.codec)
        self.writers = [AngleStore(self.folder), AngleStore(self.folder)]

    def teardown(self):
        shutil.rmtree(self.folder)

    def angles(self, ids):
        """Angles that nobody had before."""
        numbers = [(self.count + place) % (3 * self.parts) / self.parts for place in range(len(ids))]
        self.count += len(ids)
        return dict(zip(ids, numbers, strict=True)), torch.tensor(numbers)[:, None].expand(-1, 3)

    @rule(writer=WRITERS, ids=IDS, replace=st.booleans())
    def add(self, writer, ids, replace):
        new, angles = self.angles(ids)
        there = set(ids) & set(self.documents)
        try:
            self.writers[writer].add(ids, angles, replace=replace)
        except StoreError as error:
            names_one_of(error, there)
        else:
            assert replace or not there
            self.documents |= new

    @rule(writer=WRITERS, ids=IDS)
    def remove(self, writer, ids):
        missing = set(ids) - set(self.documents)
        try:
            self.writers[writer].remove(ids)
        except StoreError as error:
            names_one_of(error, missing)
        else:
            assert not missing
            for name in ids:
                del self.documents[name]

    @rule(writer=WRITERS, ids=IDS, left=st.integers(0, 12))
    def die(self, writer, ids, left):
        """The documents are as before, or all are replaced."""
        new, angles = self.angles(ids)
        with crash_after(left):
            self.writers[writer].add(ids, angles, replace=True)
        found = self.read()
        assert found in (self.documents, self.documents | new)
        self.documents = found
        self.writers[writer] = AngleStore(self.folder)

    @rule(writer=WRITERS)
    def reopen(self, writer):
        self.writers[writer] = AngleStore(self.folder)

    @rule(writer=WRITERS, other=WRITERS)
    def no_two_at_once(self, writer, other):
        """While one holds the store, the other is refused, by the name of the owner."""
        if writer == other:
            return
        with self.writers[writer].writing(), pytest.raises(LockedError, match="is being written by process"):
            self.writers[other].remove([])

    def read(self):
        store = AngleStore(self.folder)
        alive = [place for place in range(store.rows) if place not in store.removed]
        names = [store.ids[place] for place in alive]
        assert len(set(names)) == len(names) == len(store)
        rows = store.gather(torch.tensor(alive, dtype=torch.long))
        assert bool((rows == rows[:, :1]).all())
        assert bool((rows <= math.pi).all())
        return dict(zip(names, (round(value * self.parts) / self.parts for value in rows[:, 0].tolist()), strict=True))

    @invariant()
    def nothing_is_lost(self):
        if self.count:
            assert self.read() == self.documents

    @rule()
    def tidy(self):
        """The next writer removes what a dead one left."""
        with AngleStore(self.folder).writing():
            pass
        store = AngleStore(self.folder)
        named = {name for shard in store.shards for name in (shard.file, shard.ids)}
        if store.codec is not None:
            named.add(f"codec-{store.codec.fingerprint}.safetensors")
        assert {path.name for path in self.folder.iterdir()} == named | {"manifest.json"}


class TwoWritersOfCodes(TwoWriters):
    """Likewise, of documents as codes, which tell fewer numbers apart."""

    codec = Codec.fit(torch.linspace(0, 3, 256)[:, None].expand(-1, 3), 3, "int8")
    parts = 50


TwoWriters.TestCase.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
test_two_writers = TwoWriters.TestCase
TwoWritersOfCodes.TestCase.settings = settings(max_examples=4, stateful_step_count=12, deadline=None)
test_two_writers_of_codes = TwoWritersOfCodes.TestCase
