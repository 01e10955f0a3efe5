"""Sixteen probes and three axes a block: what a block does to any two independent qubits, mixed ones too.

The kept qubit's Bloch vector is bilinear in (1, r_c) and (1, r_b), so the same circuit run on products of four pure
states that span the Bloch ball gives the map exactly. This extends the nine probes of `hybrid_qproj.blocks.response`,
which suffice where the inputs lie in one plane and Z alone is read.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import pennylane as qml
import torch
from torch import Tensor

from hybrid_qproj.blocks.exact import pauli_responses
from hybrid_qproj.blocks.executor import BlockExecutor
from hybrid_qproj.circuits import Ansatz

# A regular tetrahedron on the Bloch sphere, (polar, azimuthal) angles: the best-conditioned four states.
TETRAHEDRON = ((0.0, 0.0), *((math.acos(-1 / 3), 2 * math.pi * m / 3) for m in range(3)))
# Rotations that turn the axis to be read into Z: RZ, then RY. For X, Y, Z.
AXES = ((0.0, -math.pi / 2), (-math.pi / 2, -math.pi / 2), (0.0, 0.0))
PROBES_PER_MAP = len(AXES) * len(TETRAHEDRON) ** 2

FRAME = ("phase of c", "phase of b", "RZ of the axis", "RY of the axis")


class _Framed:
    """A block's circuit between phases of its inputs and a rotation of the axis that is read.

    A class, not a closure, so that it can be pickled.
    """

    def __init__(self, ansatz: Ansatz) -> None:
        self.ansatz = ansatz

    def __call__(self, angles: Sequence[Any], wires: Sequence[Any]) -> None:
        phase_c, phase_b, axis_z, axis_y, *rest = angles
        qml.RZ(phase_c, wires=wires[0])
        qml.RZ(phase_b, wires=wires[1])
        self.ansatz.circuit(rest, wires)
        kept = wires[self.ansatz.kept]
        qml.RZ(axis_z, wires=kept)
        qml.RY(axis_y, wires=kept)

    def angles(self, raw: Any) -> Any:
        return torch.cat([raw[..., : len(FRAME)], self.ansatz.angles(raw[..., len(FRAME) :])], dim=-1)


def framed(ansatz: Ansatz) -> Ansatz:
    """An ansatz with the four angles of a probe before its own parameters.

    Args:
        ansatz: the block's ansatz.

    Returns:
        the same circuit, prepared and read along axes that are parameters too.
    """
    circuit = _Framed(ansatz)
    return dataclasses.replace(
        ansatz,
        name=f"{ansatz.name} between frames",
        circuit=circuit,
        angles=circuit.angles,
        parameter_names=(*FRAME, *ansatz.parameter_names),
    )


def block_maps(executor: BlockExecutor, weights: Tensor) -> Tensor:
    """Run the probes of every block.

    Args:
        executor: of the `framed` ansatz.
        weights: raw weights of the ansatz itself, (blocks, parameters).

    Returns:
        maps T, (blocks, 3, 4, 4), differentiable by the weights: the kept qubit's Bloch vector is
        sum_ij T[:, i, j] (1, r_c)_i (1, r_b)_j.
    """
    states = torch.tensor(TETRAHEDRON, dtype=weights.dtype, device=weights.device)
    axes = torch.tensor(AXES, dtype=weights.dtype, device=weights.device)
    # The axis varies slowest, then the control's state, then the kept qubit's.
    index = torch.cartesian_prod(
        *(torch.arange(n, device=weights.device) for n in (len(axes), len(states), len(states)))
    )
    axis, control, kept = index.unbind(1)
    polar = torch.stack([states[control, 0], states[kept, 0]], dim=1)
    frame = torch.stack([states[control, 1], states[kept, 1], axes[axis, 0], axes[axis, 1]], dim=1)
    blocks = len(weights)
    rows = torch.cat([frame.repeat(blocks, 1), weights.repeat_interleave(PROBES_PER_MAP, dim=0)], dim=1)
    values = executor(polar.repeat(blocks, 1), rows).view(blocks, len(axes), len(states), len(states))
    theta, phi = states.unbind(1)
    features = torch.stack(
        [torch.ones_like(theta), theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos()], dim=1
    )
    inverse = torch.linalg.inv(features)
    return inverse @ values @ inverse.T


def exact_or_probed_maps(executor: BlockExecutor, weights: Tensor) -> Tensor:
    """Maps of every block, by their matrices where these are what the device computes, else by probes.

    Arguments and result are those of `block_maps`.
    """
    circuit = executor.ansatz.circuit
    if executor.by_matrices and isinstance(circuit, _Framed):
        return pauli_responses(circuit.ansatz, weights, inputs="IXYZ", outputs="XYZ")
    return block_maps(executor, weights)


def apply_maps(maps: Tensor, control: Tensor, kept: Tensor) -> Tensor:
    """The kept qubits after their blocks.

    Args:
        maps: T, (blocks, 3, 4, 4).
        control: Bloch vectors of the control qubits, (..., 3, blocks).
        kept: Bloch vectors of the kept qubits, (..., 3, blocks).

    Returns:
        Bloch vectors, (..., 3, blocks).
    """
    one = torch.ones_like(control[..., :1, :])
    # In two steps: the order of more than two factors, and so the rounding, depends on whether opt_einsum is installed.
    pairs = torch.einsum("...ig,...jg->...ijg", torch.cat([one, control], dim=-2), torch.cat([one, kept], dim=-2))
    return torch.einsum("goij,...ijg->...og", maps, pairs)
