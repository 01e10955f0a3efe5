"""Angles on disk come back, in their precision; what is damaged or does not fit is refused."""

from __future__ import annotations

import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hybrid_qproj.index.precision import pack, unpack
from hybrid_qproj.index.store import AngleStore, StoreError


def angles(rows, width=6, seed=0):
    return math.pi * torch.rand(rows, width, generator=torch.Generator().manual_seed(seed))


def names(start, count):
    return [f"d{number}" for number in range(start, start + count)]


@pytest.mark.parametrize(("precision", "error"), [("float32", 1e-6), ("float16", 1e-3), ("uint8", math.pi / 508)])
@given(values=st.lists(st.floats(0, math.pi), min_size=1, max_size=20))
def test_precision(precision, error, values):
    """Off by the stated error at most, and whole at both ends."""
    tensor = torch.tensor([values])
    assert (unpack(pack(tensor, precision)) - tensor).abs().max() <= error


@pytest.mark.parametrize("wrong", [math.nan, -0.1, 3.3, math.inf])
def test_no_angles(wrong):
    """NaN and numbers outside [0, pi]."""
    with pytest.raises(ValueError, match=r"must lie in \[0, pi\]"):
        pack(torch.tensor([1.0, wrong]), "float32")


@pytest.mark.parametrize("precision", ["float32", "float16", "uint8"])
def test_round_trip(tmp_path, precision):
    """Several shards, read in chunks and row by row, by another process's store."""
    store = AngleStore.create(tmp_path, 6, precision, "a model")
    store.add(names(0, 5), angles(5))
    store.add(names(5, 3), angles(3, seed=1))
    again = AngleStore(tmp_path)
    expected = unpack(pack(torch.cat([angles(5), angles(3, seed=1)]), precision))
    assert (again.ids, again.rows, len(again), again.model) == (names(0, 8), 8, 8, "a model")
    torch.testing.assert_close(torch.cat([chunk for _, chunk in again.chunks(2)]), expected, atol=0, rtol=0)
    assert [start for start, _ in again.chunks(2)] == [0, 2, 4, 5, 7]
    places = torch.tensor([[7, 0], [5, 5]])
    torch.testing.assert_close(again.gather(places), expected[places], atol=0, rtol=0)
    assert again.bytes_per_document == {"float32": 24, "float16": 12, "uint8": 10}[precision]


def test_remove(tmp_path):
    """Removed documents may come again; those that are not there may not go."""
    store = AngleStore.create(tmp_path, 6)
    store.add(names(0, 4), angles(4))
    store.remove(["d1", "d3"])
    assert len(AngleStore(tmp_path)) == 2
    with pytest.raises(StoreError, match="no document 'd1' to remove"):
        store.remove(["d0", "d1"])
    assert len(store) == 2
    store.add(["d1"], angles(1))
    assert AngleStore(tmp_path).rows == 5


def test_what_does_not_fit_is_not_added(tmp_path):
    """Shapes, ids twice, no angles."""
    store = AngleStore.create(tmp_path, 6)
    store.add(names(0, 2), angles(2))
    before = sorted(path.name for path in tmp_path.iterdir())
    for ids, tensor, message in (
        (["x"], angles(1, 5), r"1 ids and angles of shape \(1, 5\)"),
        (["x", "d1"], angles(2), "'d1' is there twice"),
        (["x", "x"], angles(2), "is there twice"),
        (["x"], angles(1) + 4, "must lie in"),
    ):
        with pytest.raises(StoreError, match=message):
            store.add(ids, tensor)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert AngleStore(tmp_path).rows == 2


def test_an_interrupted_shard_does_not_count(tmp_path, monkeypatch):
    """The manifest is written last; the next attempt replaces what was left."""
    store = AngleStore.create(tmp_path, 6)
    store.add(names(0, 2), angles(2))
    with monkeypatch.context() as patch:
        patch.setattr(AngleStore, "_commit", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            store.add(names(2, 3), angles(3))
    again = AngleStore(tmp_path)
    assert again.rows == 2
    again.add(names(2, 1), angles(1, seed=3))
    torch.testing.assert_close(AngleStore(tmp_path).gather(torch.tensor([2])), angles(1, seed=3))


def test_damage_is_noticed(tmp_path):
    """Cut files, other files, no files."""
    with pytest.raises(StoreError, match=r"manifest\.json is missing"):
        AngleStore(tmp_path)
    store = AngleStore.create(tmp_path, 6)
    store.add(names(0, 4), angles(4))
    with pytest.raises(StoreError, match="holds angles already"):
        AngleStore.create(tmp_path, 6)
    with pytest.raises(StoreError, match="precision 'int4': expected one of float32, float16, uint8"):
        AngleStore.create(tmp_path / "b", 6, "int4")
    shard, ids, manifest = (tmp_path / name for name in ("angles-00000.safetensors", "ids-00000.json", "manifest.json"))
    whole = shard.read_bytes(), ids.read_text(), manifest.read_text()
    shard.write_bytes(whole[0][:-8])
    with pytest.raises(StoreError, match="cannot be read"):
        AngleStore(tmp_path)
    shard.write_bytes(whole[0])
    ids.write_text('["d0"]')
    with pytest.raises(StoreError, match="expected a list of 4 ids"):
        _ = AngleStore(tmp_path).ids
    ids.write_text(whole[1])
    manifest.write_text(json.dumps(json.loads(whole[2]) | {"width": 5}))
    with pytest.raises(StoreError, match=r"holds \(4, 6\)"):
        AngleStore(tmp_path)
    manifest.write_text("{}")
    with pytest.raises(StoreError, match="not of the format"):
        AngleStore(tmp_path)
