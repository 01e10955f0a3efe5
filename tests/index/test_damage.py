"""Whatever is done to a file of a store or its index: the documented error with its name, or the same answer."""

from __future__ import annotations

import hashlib
import json
import math
import shutil

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("faiss", reason="needs the extra 'index'")

import faiss

from hybrid_qproj._util.seals import seal
from hybrid_qproj.codec import Codec
from hybrid_qproj.index import AngleIndex, AngleStore, StoreError, exhaustive_search
from hybrid_qproj.index.first_stage import KINDS
from hybrid_qproj.index.texts import text_digests

FILES = ["manifest.json", "angles-00000.safetensors", "ids-00001.json", "texts-00000.safetensors", "index.json"]
QUERIES = torch.tensor([[1.0, 1.5, 2.0, 0.5], [2.0, 1.0, 0.3, 3.0]])
limits = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(folder, kind="flat", precision="float32", codec=None):
    generator = torch.Generator().manual_seed(0)
    store = AngleStore.create(folder, 4, precision, "a model", "0" * 32, codec)
    for first in (0, 8):
        ids = [f"d{number}" for number in range(first, first + 8)]
        store.add(ids, math.pi * torch.rand(8, 4, generator=generator), text_digests(ids))
    store.remove(["d3"])
    AngleIndex(store, kind).save()
    return store


def everything(folder):
    """All that can be asked of a store and its index."""
    index = AngleIndex.load(folder)
    store = index.store
    found = index.search(QUERIES, 5)
    return (
        store.ids,
        sorted(store.removed),
        store.texts(),
        store.model,
        store.fingerprint,
        store.gather(torch.arange(store.rows)).tolist(),
        found.scores.tolist(),
        found.positions.tolist(),
        exhaustive_search(store, QUERIES, 5).positions.tolist(),
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "store"
    write(folder)
    return folder


@pytest.fixture(scope="module")
def coded(tmp_path_factory):
    """Documents as codes."""
    folder = tmp_path_factory.mktemp("coded") / "store"
    angles = math.pi * torch.rand(50, 4, generator=torch.Generator().manual_seed(1))
    write(folder, codec=Codec.fit(angles, 2))
    return folder


def names(error, *files):
    """In one line, one of the files."""
    assert any(file in str(error) for file in files), error
    assert "\n" not in str(error)


def check(folder, name, expected):
    """The same answer, or an error that names the file."""
    try:
        found = everything(folder)
    except StoreError as error:
        names(error, name)
    else:
        assert found == expected


@pytest.mark.parametrize("name", [*FILES, "index.faiss"])
@limits
@given(data=st.data())
def test_a_flipped_bit(whole, name, data):
    content = (whole / name).read_bytes()
    place = data.draw(st.integers(0, 8 * len(content) - 1))
    expected = everything(whole)
    changed = bytearray(content)
    changed[place // 8] ^= 1 << place % 8
    (whole / name).write_bytes(bytes(changed))
    try:
        check(whole, name, expected)
    finally:
        (whole / name).write_bytes(content)


@pytest.mark.parametrize("name", ["manifest.json", "angles-00000.safetensors", "index.json", "codec"])
@settings(limits, max_examples=25)
@given(data=st.data())
def test_other_bytes_of_codes(coded, name, data):
    """A flipped bit, cut off, or something else."""
    path = next(coded.glob(f"{name}*"))
    content = path.read_bytes()
    expected = everything(coded)
    changed = bytearray(content)
    place = data.draw(st.integers(0, 8 * len(content) - 1))
    changed[place // 8] ^= 1 << place % 8
    others = (bytes(changed), content[: data.draw(st.integers(0, len(content) - 1))], data.draw(st.binary(max_size=40)))
    path.write_bytes(data.draw(st.sampled_from(others)))
    try:
        check(coded, path.name, expected)
    finally:
        path.write_bytes(content)


CODES = {
    "precision": ["float32", "uint8", None],
    "codec": [
        None,
        "0" * 32,
        {},
        {"fingerprint": "0" * 32},
        {"fingerprint": "../x"},
        {"fingerprint": 1},
        {"file": "x"},
    ],
    "width": [2, 5, 10**12],
    "format": ["hybrid-qproj angles 1", "hybrid-qproj codes 1"],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in CODES.items() for value in values])
def test_an_edited_manifest_of_codes(coded, tmp_path, key, value):
    """With a new digest."""
    folder = tmp_path / "store"
    shutil.copytree(coded, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["digest"]
    (folder / "manifest.json").write_bytes(seal(manifest | {key: value}))
    with pytest.raises(StoreError) as caught:
        AngleStore(folder).verify()
    names(caught.value, "manifest.json", "angles-0000", "codec-")


@pytest.mark.parametrize("name", [*FILES, "index.faiss"])
@limits
@given(content=st.one_of(st.binary(max_size=40), st.integers(0, 300)))
def test_other_bytes(whole, name, content):
    """Cut off, or something else."""
    before = (whole / name).read_bytes()
    expected = everything(whole)
    (whole / name).write_bytes(before[:content] if isinstance(content, int) else content)
    try:
        check(whole, name, expected)
    finally:
        (whole / name).write_bytes(before)


@pytest.mark.parametrize("name", [*FILES, "index.faiss"])
@pytest.mark.parametrize("what", ["missing", "a folder", "a link"])
def test_no_file(whole, tmp_path, name, what):
    folder = tmp_path / "store"
    shutil.copytree(whole, folder)
    outside = tmp_path / name
    (folder / name).rename(outside)
    if what == "a folder":
        (folder / name).mkdir()
    if what == "a link":
        (folder / name).symlink_to(outside)
        if not name.startswith(("angles", "ids", "texts")):
            return
    with pytest.raises(StoreError) as caught:
        everything(folder)
    assert name in str(caught.value)


MANIFESTS = {
    "shards.0.file": ["../angles-00000.safetensors", "/etc/passwd", "angles-00001.safetensors", "", None, 3, "x" * 999],
    "shards.0.ids": ["../ids-00000.json", "ids-00001.json", "manifest.json"],
    "shards.0.texts": ["../texts-00000.safetensors", "texts-00001.safetensors", None],
    "shards.0.rows": [0, -1, True, 7, 8.0, "8", 10**12, 2**70, None],
    "shards.0.file_digest": [None, "0" * 64, "Z" * 64, ""],
    "shards.0.other": [1],
    "shards": [None, {}, [[]], "x"],
    "width": [0, -1, True, 5, 10**12, "4", 4.0, None],
    "precision": ["int4", None, 1, "uint8"],
    "model": [None, 1, ["a"], "\ud800", "x" * 5000],
    "fingerprint": ["", "Z" * 32, 1],
    "removed": [[10**9], [-1], ["0"], [True], [3, 3], [1.5], None, {}, [16]],
    "other": [1],
    "format": ["hybrid-qproj angles 3", None, 1],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in MANIFESTS.items() for value in values])
@pytest.mark.parametrize("former", [False, True])
def test_an_edited_manifest(whole, tmp_path, key, value, former):
    """Edited with or without a new digest; with none at all, as in the former format."""
    folder = tmp_path / "store"
    shutil.copytree(whole, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["digest"]
    if former:
        manifest["format"] = "hybrid-qproj angles 1"
    place = manifest
    *path, last = key.split(".")
    for step in path:
        place = place[int(step)] if step.isdigit() else place[step]
    place[last] = value
    (folder / "manifest.json").write_bytes(json.dumps(manifest).encode() if former else seal(manifest))
    harmless = (key, value) in (("fingerprint", None),) or (
        former and (key, value) in (("shards.0.file_digest", None), ("shards.0.texts", None))
    )
    try:
        store = AngleStore(folder)
        store.verify()
        _ = store.ids
    except StoreError as error:
        names(error, "manifest.json", "00000", "00001")
    else:
        assert harmless


def test_a_shard_named_twice(whole, tmp_path):
    folder = tmp_path / "store"
    shutil.copytree(whole, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["digest"]
    manifest["shards"].append(manifest["shards"][0])
    (folder / "manifest.json").write_bytes(seal(manifest))
    with pytest.raises(StoreError, match=r"manifest\.json is damaged.*a file is named twice"):
        AngleStore(folder)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["d0", 1, *map(str, range(6))], "expected a string"),
        (["\ud800", *map(str, range(7))], "no Unicode text"),
        (["x" * 5000, *map(str, range(7))], "longer than 4096 bytes"),
        (["d9", *map(str, range(7))], "name document 'd9' twice"),
        (["a", "a", *map(str, range(6))], "name document 'a' twice"),
        ({"a": 1}, "expected a list of 8 ids"),
    ],
)
def test_edited_ids_of_the_former_format(whole, tmp_path, ids, message):
    """Which has no digests that would notice them."""
    folder = tmp_path / "store"
    shutil.copytree(whole, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["digest"], manifest["fingerprint"]
    shards = [{key: shard[key] for key in ("file", "ids", "rows")} for shard in manifest["shards"]]
    manifest |= {"format": "hybrid-qproj angles 1", "shards": shards}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "ids-00000.json").write_text(json.dumps(ids))
    with pytest.raises(StoreError, match=message):
        _ = AngleStore(folder).ids


@pytest.mark.parametrize("precision", ["float32", "float16", "uint8"])
@pytest.mark.parametrize("wrong", [math.nan, math.inf, 4.0, -0.5])
def test_numbers_that_are_no_angles(tmp_path, precision, wrong):
    """In a shard of the former format, at whose writing nobody looked."""
    store = write(tmp_path / "store", precision=precision)
    path = tmp_path / "store" / "angles-00000.safetensors"
    rows = safetensors.torch.load(path.read_bytes())["angles"].clone()
    if precision == "uint8":
        rows[5, -4:] = torch.tensor([wrong, 0.001]).half().view(torch.uint8)
    else:
        rows[5, 2] = wrong
    path.write_bytes(safetensors.torch.save({"angles": rows}))
    manifest = json.loads((tmp_path / "store" / "manifest.json").read_text())
    del manifest["digest"]
    manifest["format"] = "hybrid-qproj angles 1"
    manifest["shards"][0]["file_digest"] = None
    (tmp_path / "store" / "manifest.json").write_text(json.dumps(manifest))
    store = AngleStore(tmp_path / "store")
    with pytest.raises(StoreError, match=r"angles-00000\.safetensors: row 5 holds numbers that are no angles"):
        exhaustive_search(store, QUERIES, 3)
    with pytest.raises(StoreError, match="row 5"):
        store.gather(torch.tensor([1]))
    assert len(store.gather(torch.tensor([9]))) == 1


SETTINGS = {
    "kind": ["ivf", "hnsw", "tree", None, 1],
    "candidates": ["4", -4, 0, 10**12, True, 4.0, None],
    "rows": [0, -1, True, 15, 17, 10**12, "16"],
    "shards": [0, 1, 3, True, 10**30, "2"],
    "store": ["0" * 64, None, 1],
    "digest": ["0" * 64, None],
    "other": [1],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in SETTINGS.items() for value in values])
@pytest.mark.parametrize("sealed", [True, False])
def test_edited_settings_of_an_index(whole, tmp_path, key, value, sealed):
    folder = tmp_path / "store"
    shutil.copytree(whole, folder)
    record = json.loads((folder / "index.json").read_text())
    digest = record.pop("digest")
    record["versions"][0][key] = value
    content = seal(record) if sealed else json.dumps(record | {"digest": digest}).encode()
    (folder / "index.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"build it again") as caught:
        AngleIndex.load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
@limits
@given(data=st.data())
def test_a_hostile_index(tmp_path, kind, data):
    """With a digest that fits: FAISS's file says what it likes; nothing is allocated for it, and nothing dies."""
    folder = tmp_path / "store"
    if not folder.exists():
        write(folder, kind)
        (tmp_path / "whole").write_bytes((folder / "index.faiss").read_bytes())
    content = bytearray((tmp_path / "whole").read_bytes())
    place = data.draw(st.integers(0, len(content) - 8))
    value = data.draw(st.sampled_from([2**62, 2**40, 2**33, 2**31 - 1, -1, 0, 1, 17, 255]))
    content[place : place + 8] = np.int64(value).tobytes()
    (folder / "index.faiss").write_bytes(bytes(content))
    record = json.loads((folder / "index.json").read_text())
    del record["digest"]
    record["versions"][0]["digest"] = hashlib.sha256(bytes(content)).hexdigest()
    (folder / "index.json").write_bytes(seal(record))
    try:
        index = AngleIndex.load(folder)
        index.search(QUERIES, 5)
    except StoreError as error:
        names(error, "index.faiss")


def test_an_index_of_another_kind(whole, tmp_path):
    """FAISS's file holds another index than its settings say, and their digests fit."""
    folder = tmp_path / "store"
    shutil.copytree(whole, folder)
    for index in (faiss.IndexHNSWFlat(4, 8), faiss.IndexFlatIP(4), faiss.IndexFlatL2(5)):
        index.add(np.zeros((16, index.d), dtype=np.float32))
        content = faiss.serialize_index(index).tobytes()
        record = json.loads((folder / "index.json").read_text())
        del record["digest"]
        record["versions"][0]["digest"] = hashlib.sha256(content).hexdigest()
        (folder / "index.json").write_bytes(seal(record))
        (folder / "index.faiss").write_bytes(content)
        with pytest.raises(StoreError, match=r"index\.faiss cannot be read \(it (is a|holds)"):
            AngleIndex.load(folder)


def test_the_index_of_another_store(whole, tmp_path):
    """Of as many documents, but not of these."""
    write(tmp_path / "a")
    store = AngleStore.create(tmp_path / "b", 4)
    store.add([f"d{number}" for number in range(16)], torch.ones(16, 4))
    for name in ("index.json", "index.faiss"):
        shutil.copy(tmp_path / "a" / name, tmp_path / "b" / name)
    with pytest.raises(StoreError, match="is of other documents; build it again"):
        AngleIndex.load(tmp_path / "b")
