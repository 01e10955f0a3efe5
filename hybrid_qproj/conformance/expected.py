"""What a device should return: the values of default.qubit, and how far shots may be from them."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from hybrid_qproj.blocks.response import PROBES_PER_BLOCK, contract, fit_response, probe_angles
from hybrid_qproj.conformance.targets import is_exact, is_single_precision
from hybrid_qproj.heads.quantum import QuantumProjection

REFERENCE = "default.qubit?mode=direct"
TOLERANCE = 1e-6
"""Of <Z> on an exact device."""
STANDARD_ERRORS = 5
"""A true value is missed once in a million times."""


def make_head(device: str, features: int = 6, outputs: int = 2, circuit: str = "u_cu") -> QuantumProjection:
    """A head of double precision with random weights, the same for every device.

    Args:
        device: device string.
        features: input features.
        outputs: output features.
        circuit: ansatz.
    """
    generator = torch.Generator().manual_seed(5)
    # What can cost money was refused before any test ran, unless --allow-paid was given.
    head = QuantumProjection(features, outputs, circuit, device, init="random", generator=generator, allow_paid=True)
    return head.double().eval()


def make_embeddings(rows: int, features: int = 6) -> Tensor:
    """Random embeddings, (rows, features), the same for every device."""
    return torch.randn(rows, features, generator=torch.Generator().manual_seed(6), dtype=torch.float64)


def cosines(head: QuantumProjection, embeddings: Tensor, mode: str | None = None) -> Tensor:
    """<Z> of the outputs, (rows, outputs): where values are near 1, angles lose half of their digits.

    Args:
        head: the head.
        embeddings: (rows, features).
        mode: ``"interpolated"`` or ``"direct"``; that of the head's device string when None.
    """
    if mode is not None:
        head = copy.deepcopy(head).to_device(head.device.replace(mode=mode), allow_paid=True)
    with torch.no_grad():
        return head(embeddings).cos()


def reference(head: QuantumProjection, embeddings: Tensor) -> Tensor:
    """<Z> of the outputs on default.qubit, (rows, outputs)."""
    with torch.no_grad():
        return copy.deepcopy(head).to_device(REFERENCE)(embeddings).cos()


def allowed_error(head: QuantumProjection, embeddings: Tensor, mode: str) -> Tensor:
    """How far <Z> may be from `reference`.

    Args:
        head: the head; on a device with shots it has one stage, whose errors do not go through another one.
        embeddings: (rows, features).
        mode: ``"interpolated"`` or ``"direct"``.

    Returns:
        the tolerance of an exact device, or five standard errors, (rows, outputs).
    """
    if is_exact(head.device):
        return torch.tensor(TOLERANCE, dtype=torch.float64)
    assert head.device.shots is not None
    assert len(head.stages) == 1
    deviation = 1 - reference(head, embeddings).square()
    if mode == "interpolated":
        deviation = _interpolated_variance(head, embeddings)
    # An outcome that was never drawn leaves a value by a step of 1/shots without any spread.
    return STANDARD_ERRORS * (deviation / head.device.shots).sqrt() + 1 / head.device.shots


def _interpolated_variance(head: QuantumProjection, embeddings: Tensor) -> Tensor:
    """Variance of an interpolated <Z> of one-shot probes: the sum over probes of coefficient^2 (1 - z^2)."""
    outputs = head.out_features
    coefficients = fit_response(torch.eye(PROBES_PER_BLOCK, dtype=embeddings.dtype))
    cosine, sine = head.encoding(embeddings)
    stage = head.plan.stages[0]
    control, kept = list(stage.control), list(stage.kept)
    inputs = [(part[:, control, None], part[:, kept, None]) for part in (cosine, sine)]
    (cos_c, cos_b), (sin_c, sin_b) = inputs
    # (rows, blocks, probes): how much each probe contributes at these inputs.
    weights = contract(coefficients, (cos_c, sin_c), (cos_b, sin_b))
    values = probe_values(head)
    assert values.shape == (outputs, PROBES_PER_BLOCK)
    return (weights.square() * (1 - values.square())).sum(dim=-1).detach()


def probe_values(head: QuantumProjection) -> Tensor:
    """<Z> of the first stage at the nine probes on default.qubit, (blocks, 9)."""
    layer = copy.deepcopy(head).to_device(REFERENCE).layers[0]
    weights = head.layers[0].weights.detach()
    probes = probe_angles(weights)
    with torch.no_grad():
        return layer(probes.repeat(1, len(weights))).T


def gradient_tolerance(head: QuantumProjection) -> float:
    """Of gradients on an exact device: raw weights are stretched by up to 2 pi, and so are rounding errors."""
    return 1e-4 if is_single_precision(head.device) else TOLERANCE


def gradients(head: QuantumProjection, embeddings: Tensor) -> Tensor:
    """Of a weighted sum of <Z> by all weights and all embeddings, one vector."""
    leaf = embeddings.clone().requires_grad_()
    outputs = head(leaf).cos()
    coefficients = torch.linspace(0.5, 1.5, outputs.numel(), dtype=outputs.dtype).reshape(outputs.shape)
    found = torch.autograd.grad((coefficients * outputs).sum(), [*head.parameters(), leaf])
    return torch.cat([gradient.flatten() for gradient in found])


def reference_gradients(head: QuantumProjection, embeddings: Tensor) -> Tensor:
    """The same on default.qubit, by backpropagation."""
    return gradients(copy.deepcopy(head).to_device(REFERENCE), embeddings)
