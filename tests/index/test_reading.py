"""A store that is only read: it says what its writer says, and takes no lock."""

from __future__ import annotations

import torch

from hybrid_qproj.index.exhaustive import exhaustive_search
from hybrid_qproj.index.reading import StoredAngles
from hybrid_qproj.index.store import AngleStore
from hybrid_qproj.index.texts import text_digests

ANGLES = 3 * torch.rand(5, 6, generator=torch.Generator().manual_seed(0))


def test_while_it_is_written(tmp_path):
    """Opened while a writer holds the folder, it sees what was there when it was opened, and changes no file."""
    store = AngleStore.create(tmp_path, 6, "float16", "a model", "0" * 32)
    ids = list("abcde")
    store.add(ids[:3], ANGLES[:3], text_digests(ids[:3]))
    store.remove(["b"])
    with store.writing():
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        found = StoredAngles(tmp_path)
        found.verify()
        assert torch.equal(found.gather(torch.arange(3)), store.gather(torch.arange(3)))
        assert exhaustive_search(found, ANGLES[:1], 1).positions.tolist() == [[0]]
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
        store.add(ids[3:], ANGLES[3:])
    assert (found.ids, found.rows, len(found), found.removed) == (ids[:3], 3, 2, {1})
    assert (found.width, found.precision, found.model, found.fingerprint) == (6, "float16", "a model", "0" * 32)
    assert found.texts() == store.texts()[:3]
    assert store.texts()[3:] == [None, None]
    assert StoredAngles(tmp_path).ids == ids


def test_a_writer_is_a_reader(tmp_path):
    """What reads takes either; only one of them can change anything."""
    assert isinstance(AngleStore.create(tmp_path, 6), StoredAngles)
    assert not {"add", "remove", "upgrade", "writing", "create"} & set(dir(StoredAngles))
