"""Loading a head of whatever class."""

from __future__ import annotations

import json

import pytest

from hybrid_qproj import QuantumProjection
from hybrid_qproj.heads.checkpoint import CheckpointError
from hybrid_qproj.heads.registry import load_head


def test_finds_the_class(tmp_path):
    """The saved class name decides."""
    QuantumProjection(6, 2, circuit="rotor").save(tmp_path)
    assert isinstance(load_head(tmp_path), QuantumProjection)


def test_unknown_class(tmp_path):
    """A class that is no head is refused by name."""
    (tmp_path / "config.json").write_text(json.dumps({"class": "Popen"}))
    with pytest.raises(CheckpointError, match="holds a 'Popen'; expected one of QuantumProjection"):
        load_head(tmp_path)
