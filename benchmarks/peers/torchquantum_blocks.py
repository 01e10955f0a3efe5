"""Blocks in TorchQuantum: all rows and blocks are one batch of two-qubit states."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import math
import sys
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import torch
from torch import Tensor


class _Absent(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Empty modules for what TorchQuantum imports at its start and simulation does not use.

    Version 0.1.8 wants a Qiskit of 2022 for its hardware plugin, torchpack and pathos for its tools, torchvision for
    its datasets; none of them is in what is measured.
    """

    NAMES = frozenset(
        {"qiskit", "qiskit_aer", "qiskit_ibm_runtime", "torchpack", "pathos", "dill", "torchvision", "torchdiffeq"}
    )

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name.partition(".")[0] in self.NAMES:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = MagicMock()
        module.__path__, module.__spec__, module.__name__, module.__file__ = [], spec, spec.name, spec.name
        return module

    def exec_module(self, module: ModuleType) -> None:
        pass


def load() -> Any:
    """torchquantum.

    Raises:
        ImportError: it is not installed, or needs more than this file stands in for.
    """
    finder = _Absent()
    known = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in finder.NAMES}
    for name in known:
        del sys.modules[name]
    sys.meta_path.insert(0, finder)
    try:
        import torchquantum  # noqa: PLC0415 - only here

        return torchquantum
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.partition(".")[0] in finder.NAMES]:
            del sys.modules[name]
        sys.modules.update(known)


def step(tq: Any, inputs: Tensor, raw: Tensor) -> Tensor:
    """<Z> of every block for every row, and gradients by inputs and weights.

    Args:
        tq: what `load` gave.
        inputs: RY angles, (rows, blocks, 2).
        raw: raw weights, (blocks, 12).

    Returns:
        <Z>, (rows, blocks).
    """
    rows, blocks, _ = inputs.shape
    gate = tq.functional
    device = tq.QuantumDevice(n_wires=2, bsz=rows * blocks, device=inputs.device)
    angles = (2 * math.pi * (1 + torch.tanh(raw))).expand(rows, blocks, 12).reshape(-1, 12)
    columns = angles.split(1, dim=1)
    for wire in (0, 1):
        gate.ry(device, wires=wire, params=inputs[..., wire].reshape(-1, 1))
    for wire, first in ((0, 0), (1, 4)):
        gate.rz(device, wires=wire, params=columns[first + 3])
        gate.ry(device, wires=wire, params=columns[first + 2])
        gate.rz(device, wires=wire, params=columns[first + 1])
    gate.crz(device, wires=[0, 1], params=columns[11])
    gate.cry(device, wires=[0, 1], params=columns[10])
    gate.crz(device, wires=[0, 1], params=columns[9])
    gate.phaseshift(device, wires=0, params=columns[8])
    values = tq.measurement.expval_joint_analytical(device, "IZ").view(rows, blocks)
    values.sum().backward()
    return values.detach()
