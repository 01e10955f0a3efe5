"""Folders with a head: what is written, and what is said of a bad one."""

from __future__ import annotations

import json

import pytest
import torch

from hybrid_qproj import ClassicalProjection, QuantumProjection
from hybrid_qproj.heads.checkpoint import CheckpointError


@pytest.fixture
def saved(tmp_path):
    QuantumProjection(6, 2, "rotor").save(tmp_path)
    return tmp_path


def test_only_json_and_safetensors(saved):
    """Two files, nothing temporary left, the plan written out."""
    assert sorted(path.name for path in saved.iterdir()) == ["config.json", "model.safetensors"]
    assert json.loads((saved / "config.json").read_text())["plan"]["output"] == [0, 1]


@pytest.mark.parametrize("keep", [0, 7, 60])
def test_truncated_weights(saved, keep):
    """A cut-off file is said to be damaged."""
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged"):
        QuantumProjection.load(saved)


def test_missing_files(saved, tmp_path):
    """No config, no weights, no folder."""
    (saved / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors is missing"):
        QuantumProjection.load(saved)
    with pytest.raises(CheckpointError, match=r"holds no saved head: config\.json is missing"):
        QuantumProjection.load(tmp_path / "nothing")


def test_other_weights_and_other_class(saved, tmp_path):
    """Weights of another head do not fit; another class is named."""
    QuantumProjection(8, 3, "rotor").save(tmp_path / "other")
    (tmp_path / "other" / "model.safetensors").replace(saved / "model.safetensors")
    with pytest.raises(CheckpointError, match="does not fit the head described"):
        QuantumProjection.load(saved)
    ClassicalProjection(6, 2).save(tmp_path / "classical")
    with pytest.raises(CheckpointError, match="holds a ClassicalProjection; expected a QuantumProjection"):
        QuantumProjection.load(tmp_path / "classical")


@pytest.mark.parametrize("text", ["{", '["x"]', "{}", '{"class": "QuantumProjection"}'])
def test_damaged_config(saved, text):
    """JSON that is cut off, or describes nothing."""
    (saved / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        QuantumProjection.load(saved)


def test_saving_again_replaces(saved):
    """A second save into the same folder is what is loaded."""
    head = QuantumProjection(8, 3, "u_cu", init="random")
    head.save(saved)
    x = torch.randn(2, 8)
    assert torch.equal(QuantumProjection.load(saved)(x), head.eval()(x))
