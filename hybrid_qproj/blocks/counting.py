"""What blocks come to on a device, without running them: how many circuits, and what a full one looks like."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pennylane as qml
import torch
from pennylane.tape import QuantumScript
from torch import Tensor

from hybrid_qproj.blocks.executor import CIRCUITS_PER_CALL, BlockCircuit
from hybrid_qproj.blocks.response import TRINE
from hybrid_qproj.circuits import Ansatz
from hybrid_qproj.devices.packing import pack_tapes


def count_circuits(rows: Sequence[int], pack: int) -> int:
    """Circuits on the device.

    Args:
        rows: block circuits of each call to an executor.
        pack: blocks side by side in one circuit.

    Returns:
        their number; a call is cut where it is too long for one, and circuits are not filled across a cut.

    Examples:
        >>> count_circuits([20], pack=3)
        7
    """
    calls = [divmod(row, CIRCUITS_PER_CALL) for row in rows]
    return sum(full * math.ceil(CIRCUITS_PER_CALL / pack) + math.ceil(rest / pack) for full, rest in calls)


def example_circuit(ansatz: Ansatz, weights: Tensor, pack: int) -> QuantumScript:
    """A full circuit: blocks side by side, in order, at a generic probe.

    Args:
        ansatz: the blocks' ansatz.
        weights: raw weights of the blocks, (blocks, parameters).
        pack: blocks side by side; they repeat where there are fewer.

    Returns:
        the circuit.
    """
    weights = weights[:pack]
    weights = weights.repeat(math.ceil(pack / len(weights)), 1)[:pack]
    # Not 0: a compiler would leave the encoding out.
    inputs = torch.full((pack, 2), TRINE[1])
    tape = qml.tape.make_qscript(BlockCircuit(ansatz))(inputs, weights)
    narrow, _ = qml.transforms.broadcast_expand(tape)
    (wide,), _ = pack_tapes(narrow, pack, ansatz.wires)
    return wide
