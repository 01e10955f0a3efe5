"""What files and numbers of a store may be: no link out of its folder, no complex angle, no name that is too long."""

from __future__ import annotations

import os

import pytest
import torch

from hybrid_qproj.index.exhaustive import exhaustive_search
from hybrid_qproj.index.search import AngleIndex
from hybrid_qproj.index.store import AngleStore, StoreError

FILES = ["manifest.json", "index.json", "index.faiss", "angles-00000.safetensors", "ids-00000.json"]


@pytest.fixture
def folder(tmp_path):
    """A store of two documents with its index."""
    pytest.importorskip("faiss", reason="needs the extra 'index'")
    path = tmp_path / "a [store] é"
    AngleStore.create(path, 4).add(["a", "b"], torch.tensor([[1.0] * 4, [2.0] * 4]))
    AngleIndex.build(path)
    return path


@pytest.mark.parametrize("name", FILES)
def test_links_out_of_the_folder(folder, name):
    (folder / name).rename(folder.parent / "elsewhere")
    (folder / name).symlink_to("../elsewhere")
    with pytest.raises(StoreError, match=name):
        assert AngleIndex.load(folder).store.ids


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("name", FILES)
def test_pipes(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(StoreError, match=name):
        assert AngleIndex.load(folder).store.ids


def test_folder_that_is_only_read(folder):
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    try:
        found = AngleIndex.load(folder).search(torch.full((1, 4), 1.0), 2)
    finally:
        folder.chmod(0o755)
    assert found.positions.tolist() == [[0, 1]]


def test_complex_angles(folder):
    store = AngleStore(folder)
    angles = torch.ones(1, 4, dtype=torch.complex64)
    with pytest.raises(StoreError, match="complex64"):
        store.add(["c"], angles)
    assert store.ids == ["a", "b"]
    for search in (exhaustive_search, lambda _, queries, k: AngleIndex.load(folder).search(queries, k)):
        with pytest.raises(StoreError, match="complex64"):
            search(store, angles, 1)


def test_name_that_is_too_long():
    with pytest.raises(StoreError, match="holds no angles"):
        AngleStore("x" * 5000)
