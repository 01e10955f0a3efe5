"""More shots give smaller errors, as the square root law says."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from hybrid_qproj.blocks.response import probe_angles
from hybrid_qproj.conformance.expected import make_head, probe_values
from hybrid_qproj.devices import DeviceSpec

SHOTS = (50, 200, 800, 3200)
SLOPE = (-0.6, -0.4)


def error_slope(device: str) -> float:
    """Slope of log(root mean square error) over log(shots), of 12 blocks at nine probes.

    A root mean square of 108 errors is known to 7 per cent, and so the slope to 0.02.
    """
    errors = []
    for shots in SHOTS:
        head = make_head(str(DeviceSpec.parse(device).replace(shots=shots)), 24, 12)
        weights = head.layers[0].weights
        with torch.no_grad():
            measured = head.layers[0](probe_angles(weights).repeat(1, len(weights))).T
        errors.append((measured - probe_values(head)).square().mean().sqrt().log())
    logs = torch.tensor([math.log(shots) for shots in SHOTS], dtype=torch.float64)
    logs = logs - logs.mean()
    return (logs @ torch.stack(errors) / (logs @ logs)).item()


def test_error_falls_with_the_root_of_shots(
    fast_sampled_device: str, record_property: Callable[[str, object], None]
) -> None:
    """A slope of -1/2 within a tenth."""
    slope = error_slope(fast_sampled_device)
    record_property("slope", slope)
    assert SLOPE[0] <= slope <= SLOPE[1], slope
