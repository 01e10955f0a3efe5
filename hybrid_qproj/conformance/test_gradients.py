"""Gradients by weights and by inputs are those of default.qubit."""

from __future__ import annotations

import pytest
import torch

from hybrid_qproj.conformance.expected import (
    gradient_tolerance,
    gradients,
    make_embeddings,
    make_head,
    reference_gradients,
)
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.devices.spec import MODES

# Nine probes of a u_cu block and its shifts are 279 circuits: too many for slow simulators.
CIRCUITS = {"direct": "u_cu", "interpolated": "rotor"}
REPEATS = 30
SPREADS = 6
"""A mean of 30 is this far off, in units of its estimated error, once in a million times."""


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("mode", MODES)
def test_exact_gradients(exact_device: str, mode: str, training: bool) -> None:
    """Through two stages, in both modes; in eval mode the gradient of cached values is found on demand."""
    head, embeddings = make_head(exact_device, 3, 1, CIRCUITS[mode]).train(training), make_embeddings(1, 3)
    assert len(head.stages) > 1
    head.to_device(head.device.replace(mode=mode), allow_paid=True)
    error = gradients(head, embeddings) - reference_gradients(head, embeddings)
    assert error.abs().max() < gradient_tolerance(head)


def test_sampled_gradients(fast_sampled_device: str) -> None:
    """The mean of repeated gradients by parameter shift is right within its own standard errors."""
    device = str(DeviceSpec.parse(fast_sampled_device).replace(mode="direct"))
    head, embeddings = make_head(device, 2, 1).train(), make_embeddings(1, 2)
    found = torch.stack([gradients(head, embeddings) for _ in range(REPEATS)])
    error = found.mean(dim=0) - reference_gradients(head, embeddings)
    spread = found.std(dim=0) / REPEATS**0.5
    # A parameter that the circuit does not use has no gradient and no spread.
    assert (error.abs() <= SPREADS * spread + 1e-9).all()
