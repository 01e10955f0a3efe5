"""The published head in plain PyTorch: complex amplitudes of every block's two qubits, for every row of the batch."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from hybrid_qproj.plan import Plan


def rotation(beta: Tensor, gamma: Tensor, delta: Tensor) -> Tensor:
    """RZ(beta) RY(gamma) RZ(delta), (blocks, 2, 2)."""
    cos, sin = torch.cos(gamma / 2), torch.sin(gamma / 2)
    plus, minus = torch.exp(0.5j * (beta + delta)), torch.exp(0.5j * (beta - delta))
    rows = torch.stack([plus.conj() * cos, -minus.conj() * sin, minus * sin, plus * cos], dim=-1)
    return rows.unflatten(-1, (2, 2))


class ComplexHead(nn.Module):
    """A chain of stages by state vectors.

    Args:
        plan: which qubits each stage merges.
        weights: raw weights of each stage, (blocks, 12).
    """

    def __init__(self, plan: Plan, weights: list[Tensor]) -> None:
        super().__init__()
        self.plan = plan
        self.weights = nn.ParameterList(w.detach().clone() for w in weights)

    def gates(self, raw: Tensor) -> Tensor:
        """Each block's unitary, (blocks, 4, 4), control first."""
        angles = 2 * math.pi * (1 + torch.tanh(raw))
        _, beta_c, gamma_c, delta_c, _, beta_b, gamma_b, delta_b, alpha, beta, gamma, delta = angles.unbind(-1)
        on_c, on_b = rotation(beta_c, gamma_c, delta_c), rotation(beta_b, gamma_b, delta_b)
        controlled = torch.exp(1j * alpha)[:, None, None] * rotation(beta, gamma, delta)
        blocks = len(raw)
        both = torch.einsum("bij,bkl->bikjl", on_c, on_b).reshape(blocks, 4, 4)
        gate = torch.eye(4, dtype=both.dtype).repeat(blocks, 1, 1)
        gate[:, 2:, 2:] = controlled
        return gate @ both

    def forward(self, x: Tensor) -> Tensor:
        """Angles of the output qubits, (rows, k)."""
        half = math.pi / 4 * (1 + torch.tanh(x))
        # RY(-theta)|0>
        qubits = torch.stack([half.cos(), -half.sin()], dim=-1).to(torch.complex64)
        for stage, raw in zip(self.plan.stages, self.weights, strict=True):
            control, kept = qubits[:, list(stage.control)], qubits[:, list(stage.kept)]
            state = torch.einsum("nbi,nbj->nbij", control, kept).flatten(2)
            state = torch.einsum("bij,nbj->nbi", self.gates(raw), state)
            probability = state.abs().square()
            zero = probability[..., 0] + probability[..., 2]
            one = probability[..., 1] + probability[..., 3]
            # Measured and prepared again.
            again = torch.stack([zero.clamp_min(1e-12).sqrt(), one.clamp_min(1e-12).sqrt()], dim=-1)
            qubits = qubits.clone()
            qubits[:, list(stage.kept)] = again.to(torch.complex64)
        out = qubits[:, list(self.plan.output)].abs()
        return 2 * torch.atan2(out[..., 1], out[..., 0])
