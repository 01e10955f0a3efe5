"""Blocks on a device: another device is another object, of which nothing is known yet."""

from __future__ import annotations

import pickle

import pytest
import torch

from hybrid_qproj.blocks.cache import FixedResponses
from hybrid_qproj.circuits import get
from hybrid_qproj.devices import DeviceUnavailableError
from hybrid_qproj.heads.probed import MappedBlocks, ProbedBlocks

SHOTS = "default.qubit?shots=20&seed=1"
RAW = torch.tensor([[0.3], [-1.2]])


@pytest.mark.parametrize("cls", [ProbedBlocks, MappedBlocks])
def test_another_device_begins_anew(cls):
    """The same object answers from what it measured; one on another device measures there."""
    here = cls("rotor", SHOTS, allow_paid=True)
    first = here(RAW, torch.float64, training=False)
    assert torch.equal(here(RAW, torch.float64, training=False), first)
    there = here.on("default.qubit?shots=20&seed=2")
    assert type(there) is cls
    assert there.executor.ansatz == get("rotor")
    assert not there.executor.allow_paid
    assert not torch.equal(there(RAW, torch.float64, training=False), first)
    assert torch.equal(here(RAW, torch.float64, training=False), first)
    assert not pickle.loads(pickle.dumps(here)).executor.allow_paid  # noqa: S301 - our own


def test_served_from_a_measurement():
    """No circuit runs, the original goes on as it was, and what the device added is in the numbers already."""
    blocks = ProbedBlocks("rotor", SHOTS)
    known = torch.randn(2, 3, 3, dtype=torch.float64)
    served = blocks.serving(FixedResponses(RAW.double(), known))
    assert torch.equal(served(RAW, torch.float64, training=False), known)
    assert not torch.equal(blocks(RAW, torch.float64, training=False), known)
    with pytest.raises(ValueError, match="weights changed since they were measured"):
        served(RAW + 1, torch.float64, training=False)
    assert blocks.what_a_device_adds() == "default.qubit?shots=20"
    assert served.what_a_device_adds() == "measured"
    assert served.on("default.qubit").what_a_device_adds() is None


def test_a_device_that_nobody_knows():
    """An error where somebody asks for it, not where a file remembers it."""
    with pytest.raises(DeviceUnavailableError, match=r"no device 'nowhere\.device'"):
        ProbedBlocks("rotor", "nowhere.device")
    remembered = ProbedBlocks("rotor", "default.qubit").on("nowhere.device", remembered=True)
    assert remembered.executor.replaceable
