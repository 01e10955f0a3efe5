"""A device returns the values of default.qubit, and both modes agree on it, noisy or not."""

from __future__ import annotations

import pytest
import torch

from hybrid_qproj import circuits
from hybrid_qproj.conformance.expected import (
    allowed_error,
    cosines,
    make_embeddings,
    make_head,
    reference,
)
from hybrid_qproj.devices.spec import MODES


@pytest.mark.parametrize("mode", MODES)
def test_exact_values_through_two_stages(exact_device: str, mode: str) -> None:
    """Six features in two stages to two outputs, within 1e-6."""
    head, embeddings = make_head(exact_device), make_embeddings(3)
    assert len(head.stages) > 1
    error = (cosines(head, embeddings, mode) - reference(head, embeddings)).abs()
    assert (error <= allowed_error(head, embeddings, mode)).all(), error.max()


@pytest.mark.parametrize("mode", MODES)
def test_sampled_values(sampled_device: str, mode: str) -> None:
    """One stage, within five standard errors."""
    head, embeddings = make_head(sampled_device, 4, 2), make_embeddings(5, 4)
    error = (cosines(head, embeddings, mode) - reference(head, embeddings)).abs()
    assert (error <= allowed_error(head, embeddings, mode)).all(), error


def test_modes_agree(device: str) -> None:
    """Nine probes tell everything about a block: this holds on a noisy device too."""
    head, embeddings = make_head(device, 4, 2), make_embeddings(4, 4)
    direct, interpolated = (cosines(head, embeddings, mode) for mode in ("direct", "interpolated"))
    allowed = sum(allowed_error(head, embeddings, mode) for mode in MODES)
    assert ((direct - interpolated).abs() <= allowed).all()


@pytest.mark.parametrize("circuit", circuits.names())
def test_every_ansatz_runs(ideal_device: str, circuit: str) -> None:
    """The gates of every ansatz are known to the device."""
    head, embeddings = make_head(ideal_device, 2, 1, circuit), make_embeddings(2, 2)
    error = (cosines(head, embeddings, "direct") - reference(head, embeddings)).abs()
    assert (error <= allowed_error(head, embeddings, "direct")).all(), error


def test_dtype_of_the_input_is_kept(device: str) -> None:
    """Half, single and double precision come back as they went in."""
    head = make_head(device, 2, 1)
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        assert head(make_embeddings(1, 2).to(dtype)).dtype == dtype
