"""Angles on disk come back, in their precision; what is damaged or does not fit is refused."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hybrid_qproj._util.files import OutputError
from hybrid_qproj.index.precision import pack, unpack
from hybrid_qproj.index.store import AngleStore, StoreError
from hybrid_qproj.index.texts import text_digests


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


def test_what_is_no_id(tmp_path):
    """Numbers, halves of letters, pages of text; and the document that is there twice is named."""
    store = AngleStore.create(tmp_path, 6)
    for ids, message in (
        ([1], "expected a string"),
        (["\ud800"], "no Unicode text"),
        (["x" * 5000], "longer than 4096 bytes"),
    ):
        with pytest.raises(StoreError, match=message):
            store.add(ids, angles(1))
    with pytest.raises(StoreError, match="document 'b' is there twice"):
        store.add(["a", "b", "b"], angles(3))
    with pytest.raises(StoreError, match=r"digests of texts of shape \(2, 4\)"):
        store.add(["a"], angles(1), torch.zeros(2, 4))
    assert store.rows == 0


@pytest.mark.parametrize(
    "wrong", [{"width": 0}, {"width": 10**12}, {"width": True}, {"model": 1}, {"fingerprint": "x"}, {"precision": None}]
)
def test_what_cannot_be_created(tmp_path, wrong):
    with pytest.raises(StoreError):
        AngleStore.create(tmp_path / "a", **({"width": 4} | wrong))
    assert not (tmp_path / "a").exists()


def test_rows_that_do_not_exist(tmp_path):
    """Are refused, not made up."""
    store = AngleStore.create(tmp_path, 6)
    store.add(names(0, 3), angles(3))
    for wrong in (-1, 3, 10**12):
        with pytest.raises(StoreError, match="of which the first is 0"):
            store.gather(torch.tensor([0, wrong]))
    assert store.gather(torch.empty(0, 2, dtype=torch.long)).shape == (0, 2, 6)


def test_two_objects_lose_nothing(tmp_path):
    """Each takes in what the other wrote before it adds."""
    AngleStore.create(tmp_path, 6)
    a, b = AngleStore(tmp_path), AngleStore(tmp_path)
    for number in range(6):
        (a if number % 2 else b).add([f"d{number}"], angles(1, seed=number))
    with pytest.raises(StoreError, match="'d5' is there twice"):
        b.add(["d5"], angles(1))
    b.remove(["d1"])
    a.remove(["d2"])
    found = AngleStore(tmp_path)
    assert (found.ids, found.removed) == (names(0, 6), {1, 2})
    for number in range(6):
        assert torch.equal(found.gather(torch.tensor([number])), angles(1, seed=number))


def test_a_store_that_was_exchanged_is_not_added_to(tmp_path):
    """Another store in the same folder."""
    store = AngleStore.create(tmp_path / "a", 6)
    store.add(names(0, 2), angles(2))
    shutil.rmtree(tmp_path / "a")
    AngleStore.create(tmp_path / "a", 6).add(names(5, 2), angles(2, seed=1))
    with pytest.raises(StoreError, match="holds other documents than when it was opened"):
        store.add(names(2, 1), angles(1))
    assert AngleStore(tmp_path / "a").ids == names(5, 2)


CHILD = """
import sys, time, torch
from hybrid_qproj.index.store import AngleStore
from hybrid_qproj._util.locks import LockedError
store, done, refused = AngleStore(sys.argv[1]), 0, 0
while done < 15:
    try:
        store.add([f"{sys.argv[2]}-{done}"], torch.full((1, 6), done / 10))
        done += 1
    except LockedError as error:
        assert "is being written by" in str(error), error
        refused += 1
        time.sleep(0.01)
print(done, refused)
"""


@pytest.mark.slow
def test_two_processes_lose_nothing(tmp_path):
    """Who is refused tries again."""
    AngleStore.create(tmp_path, 6)
    children = [
        subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path), name], stdout=subprocess.PIPE, text=True)
        for name in "ab"
    ]
    assert all(child.communicate()[0].startswith("15 ") for child in children)
    store = AngleStore(tmp_path)
    assert sorted(store.ids) == sorted(f"{name}-{number}" for name in "ab" for number in range(15))
    for place, name in enumerate(store.ids):
        assert store.gather(torch.tensor([place]))[0, 0] == pytest.approx(int(name[2:]) / 10)


def test_threads(tmp_path):
    """That share an object: writers wait, readers see what was there before or after."""
    store = AngleStore.create(tmp_path, 6)
    store.add(["first"], torch.zeros(1, 6))
    wrong = []

    def write(thread):
        for number in range(5):
            store.add([f"{thread}-{number}"], torch.full((1, 6), (10 * thread + number) / 100))

    def read(_):
        for _ in range(40):
            rows = store.rows
            found = store.gather(torch.arange(rows))[:, 0].tolist()
            ids = list(store.ids[:rows])
            expected = [0 if name == "first" else (10 * int(name[0]) + int(name[2:])) / 100 for name in ids]
            if found != pytest.approx(expected) or len(set(ids)) != rows:
                wrong.append((ids, found))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda job: job[0](job[1]), [(write, 0), (write, 1), (write, 2), (read, 3), (read, 4)]))
    assert not wrong
    assert AngleStore(tmp_path).ids == store.ids
    assert len(store) == 16


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_takes_nothing(tmp_path, number, monkeypatch):
    """At any file: one line, and the store is as it was; later it goes on."""
    store = AngleStore.create(tmp_path, 6)
    store.add(names(0, 2), angles(2))
    replace = Path.replace
    for left in range(4):
        count = iter(range(99))

        def full(self, target, count=count, left=left):
            if next(count) == left:
                raise OSError(number, "no")
            return replace(self, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", full)
            with pytest.raises(OutputError, match=r"could not be written: .* was there before is unchanged") as caught:
                store.add(names(2, 2), angles(2, seed=1), text_digests(names(2, 2)))
        assert "\n" not in str(caught.value)
        assert AngleStore(tmp_path).ids == store.ids == names(0, 2)
    store.add(names(2, 2), angles(2, seed=1))
    assert AngleStore(tmp_path).ids == names(0, 4)
    assert len(list(tmp_path.iterdir())) == 5


def test_a_folder_that_cannot_be_locked(tmp_path, monkeypatch):
    """Read-only: it is read, and a change is refused in one line."""
    store = AngleStore.create(tmp_path, 6)
    store.add(names(0, 2), angles(2))
    opened = os.open

    def refused(path, flags, *rest, **options):
        if flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, "no", str(path))
        return opened(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", refused)
    assert len(AngleStore(tmp_path).gather(torch.arange(2))) == 2
    for change in (lambda: store.add(names(2, 1), angles(1)), lambda: store.remove(["d0"])):
        with pytest.raises(OutputError, match="could not be written: Permission denied"):
            change()


def test_a_store_without_its_manifest_is_not_written_over(tmp_path):
    """No interruption leaves shards alone: somebody lost the manifest, and may have a copy."""
    AngleStore.create(tmp_path, 6).add(names(0, 2), angles(2))
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(StoreError, match=r"holds shards, but no manifest\.json"):
        AngleStore.create(tmp_path, 6)
    assert (tmp_path / "angles-00000.safetensors").exists()


def test_what_a_killed_writer_left_is_removed(tmp_path):
    """Files that no manifest names and temporary ones; somebody's own files stay."""
    store = AngleStore.create(tmp_path, 6)
    store.add(names(0, 2), angles(2))
    left = ("angles-00007.safetensors", "ids-00007.json", "texts-00007.safetensors", ".manifest.json.x1.tmp.json")
    for name in (*left, "notes.txt", ".notes.tmp"):
        (tmp_path / name).write_text("x")
    store.add(names(2, 1), angles(1))
    found = {path.name for path in tmp_path.iterdir()}
    assert not found & set(left)
    assert {"notes.txt", ".notes.tmp", "angles-00001.safetensors"} <= found


def test_unchecked(tmp_path):
    """Who knows better may skip the digests of the angles."""
    AngleStore.create(tmp_path, 6).add(names(0, 2), angles(2))
    path = tmp_path / "angles-00000.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    assert len(AngleStore(tmp_path, check=False).gather(torch.arange(2))) == 2
    for use in (lambda store: store.gather(torch.arange(1)), lambda store: list(store.chunks()), AngleStore.verify):
        with pytest.raises(StoreError, match=r"angles-00000\.safetensors is not the file that was written"):
            use(AngleStore(tmp_path))
