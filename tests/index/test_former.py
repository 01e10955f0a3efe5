"""Stores, indexes, calibrations and begun measurements of 667a48f go on working, and are bound when they change."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

pytest.importorskip("faiss", reason="needs the extra 'index'")

from hybrid_qproj import QuantumProjection, calibration
from hybrid_qproj.calibration import Calibration, calibrate
from hybrid_qproj.index import AngleIndex, AngleStore, StoreError, exhaustive_search

FORMER = Path(__file__).parent.parent / "data" / "667a48f"
EXPECTED = json.loads((FORMER / "stores-and-calibration.json").read_text())
PRECISIONS = ["float32", "float16", "uint8"]


@pytest.fixture
def folder(tmp_path):
    def copy(name):
        return Path(shutil.copytree(FORMER / name, tmp_path / name))

    return copy


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_store_and_its_index(precision):
    """The same angles, positions and scores, from a folder that nothing is written to."""
    before = sorted((path.name, path.read_bytes()) for path in (FORMER / f"angles-{precision}").iterdir())
    index, expected = AngleIndex.load(FORMER / f"angles-{precision}"), EXPECTED[precision]
    store = index.store
    assert (store.model, store.fingerprint, store.bound) == ("a-model", None, False)
    assert store.ids == [f"d{number}" for number in range(12)]
    assert store.removed == {2, 9}
    assert store.gather(torch.arange(12)).tolist() == expected["angles"]
    found = index.search(torch.tensor(EXPECTED["queries"]), 4)
    assert found.positions.tolist() == expected["positions"]
    torch.testing.assert_close(found.scores, torch.tensor(expected["scores"]))
    store.verify()
    assert sorted((path.name, path.read_bytes()) for path in (FORMER / f"angles-{precision}").iterdir()) == before


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_first_change_binds(precision, folder):
    """All that was there is bound; the index, which nothing binds to it, must be built again."""
    store = AngleStore(folder(f"angles-{precision}"))
    store.add(["new"], torch.ones(1, 6))
    again = AngleStore(store.folder)
    assert again.bound
    assert again.gather(torch.arange(12)).tolist() == EXPECTED[precision]["angles"]
    assert again.ids[-1] == "new"
    with pytest.raises(StoreError, match="is of other documents; build it again"):
        AngleIndex.load(store.folder)
    AngleIndex.build(store.folder)
    found = AngleIndex.load(store.folder).search(torch.tensor(EXPECTED["queries"]), 4)
    expected = exhaustive_search(again, torch.tensor(EXPECTED["queries"]), 4)
    assert torch.equal(found.positions, expected.positions)


def test_building_an_index_binds(folder):
    """The index is bound to rows, so the rows must be."""
    path = folder("angles-float16")
    AngleIndex.build(path, "hnsw")
    assert AngleStore(path).bound
    content = bytearray((path / "angles-00001.safetensors").read_bytes())
    content[-1] ^= 1
    (path / "angles-00001.safetensors").write_bytes(bytes(content))
    with pytest.raises(StoreError, match=r"angles-00001\.safetensors is not the file that was written"):
        AngleIndex.load(path).search(torch.tensor(EXPECTED["queries"]), 4)


def head():
    expected = EXPECTED["calibration"]
    head = QuantumProjection(8, 4, init="random").eval()
    with torch.no_grad():
        head.stages[0].weights.copy_(torch.tensor(expected["weights"]))
    return head


def test_a_calibration():
    """The same outputs."""
    expected = EXPECTED["calibration"]
    measured = Calibration.load(FORMER / "calibration.safetensors")
    assert measured.responses.tolist() == expected["responses"]
    outputs = measured.apply(head())(torch.tensor(expected["inputs"]))
    torch.testing.assert_close(outputs, torch.tensor(expected["outputs"]))


def test_a_measurement_that_was_begun(tmp_path, monkeypatch):
    """Its finished pack is not measured again, and the end is the same."""
    from hybrid_qproj.blocks.executor import BlockExecutor  # noqa: PLC0415 - patched below

    monkeypatch.setattr(calibration, "BLOCKS_PER_PACK", 2)
    shutil.copytree(FORMER / "begun.safetensors.packs", tmp_path / "begun.safetensors.packs")
    run, rows = BlockExecutor.__call__, []
    monkeypatch.setattr(BlockExecutor, "__call__", lambda *a: rows.append(len(a[1])) or run(*a))
    measured = calibrate(head(), "default.qubit?shots=100&seed=3", tmp_path / "begun.safetensors")
    assert rows == [18]
    expected = torch.tensor(EXPECTED["calibration"]["responses"], dtype=measured.responses.dtype)
    torch.testing.assert_close(measured.responses, expected)
    assert not (tmp_path / "begun.safetensors.packs").exists()
    assert calibrate(head(), "default.qubit?shots=100&seed=3", tmp_path / "begun.safetensors").record["blocks"] == 4
