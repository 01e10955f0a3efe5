"""Results have the digits that their dtype promises."""

from __future__ import annotations

import torch

from hybrid_qproj.conformance.expected import make_embeddings, make_head, reference
from hybrid_qproj.conformance.targets import is_single_precision
from hybrid_qproj.devices import DeviceSpec

DOUBLE_TOLERANCE = 1e-12


def test_double_precision_of_exact_values(exact_device: str) -> None:
    """No result goes through float32 on its way, except where amplitudes are."""
    head, embeddings = make_head(exact_device, 4, 2), make_embeddings(3, 4)
    error = (head(embeddings).cos() - reference(head, embeddings)).abs().max().item()
    assert error < (1e-6 if is_single_precision(DeviceSpec.parse(exact_device)) else DOUBLE_TOLERANCE)


def test_double_precision_of_sampled_values(sampled_device: str) -> None:
    """A value is a whole number of shots, to all digits of float64."""
    head = make_head(sampled_device, 4, 2)
    shots = head.device.shots
    assert shots is not None
    angles = make_embeddings(3, 4)
    with torch.no_grad():
        counts = (1 + head.stages[0](angles)) / 2 * shots
    assert (counts - counts.round()).abs().max() < 1e-9 * shots
