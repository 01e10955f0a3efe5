"""One PennyLane TorchLayer a block, run for every row: how the method's circuits are usually put into PyTorch."""

from __future__ import annotations

import pennylane as qml
import torch
from torch import Tensor

from hybrid_qproj import circuits


def layer(device: str, raw: Tensor) -> qml.qnn.TorchLayer:
    """A block as a TorchLayer.

    Args:
        device: PennyLane's name.
        raw: its raw weights, (12,).
    """
    ansatz = circuits.get("u_cu")
    wires = range(ansatz.wires)

    @qml.qnode(qml.device(device, wires=ansatz.wires), diff_method="best")
    def block(inputs: Tensor, weights: Tensor) -> object:
        qml.RY(inputs[..., 0], wires=0)
        qml.RY(inputs[..., 1], wires=1)
        angles = ansatz.angles(weights)
        ansatz.circuit([angles[i] for i in range(ansatz.parameters)], wires)
        return qml.expval(qml.PauliZ(ansatz.kept))

    return qml.qnn.TorchLayer(block, {"weights": raw.shape}, init_method={"weights": raw.detach().clone()})


def step(layers: list[qml.qnn.TorchLayer], inputs: Tensor) -> Tensor:
    """<Z> of every block for every row, one circuit each, and its gradients.

    Args:
        layers: one a block.
        inputs: RY angles, (rows, blocks, 2).

    Returns:
        <Z>, (rows, blocks).
    """
    values = torch.stack([torch.stack([block(row[number]) for number, block in enumerate(layers)]) for row in inputs])
    values.sum().backward()
    return values.detach()
