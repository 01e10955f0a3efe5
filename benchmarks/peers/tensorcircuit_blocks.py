"""Blocks in TensorCircuit-NG with its PyTorch backend: a circuit that is mapped over blocks and rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def load() -> Callable[[Tensor, Tensor], Tensor]:
    """A function of (rows, blocks, 2) RY angles and (blocks, 12) raw weights that gives <Z>, (rows, blocks).

    Raises:
        ImportError: tensorcircuit is not installed.
    """
    import tensorcircuit as tc  # noqa: PLC0415 - an optional peer

    tc.set_backend("pytorch")

    def block(inputs: Tensor, angles: Tensor) -> Any:
        circuit = tc.Circuit(2)
        for wire in (0, 1):
            circuit.ry(wire, theta=inputs[wire])
        for wire, first in ((0, 0), (1, 4)):
            circuit.rz(wire, theta=angles[first + 3])
            circuit.ry(wire, theta=angles[first + 2])
            circuit.rz(wire, theta=angles[first + 1])
        circuit.crz(0, 1, theta=angles[11])
        circuit.cry(0, 1, theta=angles[10])
        circuit.crz(0, 1, theta=angles[9])
        circuit.phase(0, theta=angles[8])
        return tc.backend.real(circuit.expectation_ps(z=[1]))

    over_blocks = torch.func.vmap(block)
    over_rows = torch.func.vmap(over_blocks, in_dims=(0, None))
    return lambda inputs, raw: over_rows(inputs, 2 * math.pi * (1 + torch.tanh(raw)))


def step(run: Callable[[Tensor, Tensor], Tensor], inputs: Tensor, raw: Tensor) -> Tensor:
    """<Z> of every block for every row, and gradients by inputs and weights."""
    values = run(inputs, raw)
    values.sum().backward()
    return values.detach()
