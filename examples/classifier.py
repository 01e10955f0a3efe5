"""A hybrid classifier of handwritten digits: a linear layer, somebody's own QNode by torch_layer, a linear layer.

Run: ``python examples/classifier.py --write docs/results/classifier.md``. The device is a string: name others by
``--device``. Beside them runs the same model with a linear layer and tanh of the same width in the QNode's place. All
see the same rows, and the same seeds start them; nothing is downloaded.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import pennylane as qml
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from hybrid_qproj import torch_layer

WIRES = 4
LAYERS = 2
TRAIN = 500
EPOCHS = 15
BATCH = 25
DEVICES = ("default.qubit", "lightning.qubit", "default.mixed?noise=depolarizing:0.02,readout:0.02")
CLASSICAL = "linear + tanh"


def circuit(inputs: Tensor, weights: Tensor) -> list[qml.measurements.ExpectationMP]:
    """Four angles in, four expectation values out."""
    qml.AngleEmbedding(inputs, wires=range(WIRES))
    qml.StronglyEntanglingLayers(weights, wires=range(WIRES))
    return [qml.expval(qml.Z(wire)) for wire in range(WIRES)]


class Classifier(nn.Module):
    """Pixels to a few angles, the layer, and from its numbers to ten scores."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self.into = nn.Linear(64, WIRES)
        self.out = nn.Linear(WIRES, 10)
        if device == CLASSICAL:
            self.middle: nn.Module = nn.Sequential(nn.Linear(WIRES, WIRES), nn.Tanh())
        else:
            self.middle = torch_layer(circuit, device=device, weight_shapes={"weights": (LAYERS, WIRES, 3)})

    def forward(self, pixels: Tensor) -> Tensor:
        return self.out(self.middle(torch.pi * torch.tanh(self.into(pixels))))


def accuracy(device: str, seed: int) -> float:
    """Share of test digits that a model with this start gets right."""
    torch.manual_seed(seed)
    digits = load_digits()
    x, y = torch.tensor(digits.data, dtype=torch.float32), torch.tensor(digits.target)
    train, test = slice(0, TRAIN), slice(TRAIN, None)
    x = (x - x[train].mean(0)) / 16
    model = Classifier(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    # Of its own, so that every model sees the rows in the same order.
    order = torch.Generator().manual_seed(seed)
    for _ in range(EPOCHS):
        for rows in torch.randperm(TRAIN, generator=order).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        return (model(x[test]).argmax(1) == y[test]).float().mean().item()


def main() -> None:
    """Train each model from each seed, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", action="append", help="device string; three, if none is given")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--write", type=Path, help="file for the table")
    arguments = parser.parse_args()
    lines = [f"| layer | parameters | accuracy, mean of {arguments.seeds} seeds | lowest | highest |"]
    lines.append("|---|--:|--:|--:|--:|")
    for device in (CLASSICAL, *(arguments.device or DEVICES)):
        size = sum(p.numel() for p in Classifier(device).parameters())
        found = [accuracy(device, seed) for seed in range(arguments.seeds)]
        name = device if device == CLASSICAL else f"`{device}`"
        lines.append(f"| {name} | {size} | {statistics.mean(found):.3f} | {min(found):.3f} | {max(found):.3f} |")
        print(lines[-1], flush=True)
    if arguments.write:
        arguments.write.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
