"""Blocks side by side in one circuit give what each gives alone."""

from __future__ import annotations

import pytest

from hybrid_qproj.conformance.expected import (
    allowed_error,
    cosines,
    gradient_tolerance,
    gradients,
    make_embeddings,
    make_head,
    reference,
    reference_gradients,
)
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.devices.spec import MODES

PACK = 3


def packed(device: str, mode: str) -> str:
    """The device string with blocks side by side."""
    return str(DeviceSpec.parse(device).replace(pack=PACK, mode=mode))


@pytest.mark.parametrize("mode", MODES)
def test_values(ideal_device: str, mode: str) -> None:
    """Ten circuits in circuits of three blocks: the last one is not full."""
    head, embeddings = make_head(packed(ideal_device, mode), 4, 2), make_embeddings(5, 4)
    error = (cosines(head, embeddings) - reference(head, embeddings)).abs()
    assert (error <= allowed_error(head, embeddings, mode)).all()


def test_gradients(exact_device: str) -> None:
    """Shifted circuits are packed as well."""
    head, embeddings = make_head(packed(exact_device, "direct"), 4, 2).train(), make_embeddings(1, 4)
    error = gradients(head, embeddings) - reference_gradients(head, embeddings)
    assert error.abs().max() < gradient_tolerance(head)
