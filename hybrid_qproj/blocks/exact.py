"""Exact responses of a block from the matrices of its traced gates: what probing it on default.qubit gives, for less.

The same declared circuit is traced once for all blocks. Its gates multiply to one matrix U a block, and a response is
Tr(U^dagger P U (P_c x P_b)) / 4 for Pauli matrices P: no state is simulated, and the number of operations does not grow
with the number of probes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hybrid_qproj.blocks.threads import circuits_locked
from hybrid_qproj.circuits import Ansatz

PAULI = {
    "I": ((1, 0), (0, 1)),
    "X": ((0, 1), (1, 0)),
    "Y": ((0, -1j), (1j, 0)),
    "Z": ((1, 0), (0, -1)),
}


def is_unitary(ansatz: Ansatz) -> bool:
    """Whether all gates of a block have matrices: no measurement inside, no channel.

    Args:
        ansatz: the block's ansatz.
    """
    weights = torch.zeros(1, ansatz.parameters, dtype=torch.float64)
    with circuits_locked():
        return all(gate.has_matrix for gate in ansatz.trace(weights).operations)


def pauli_responses(ansatz: Ansatz, weights: Tensor, inputs: str, outputs: str) -> Tensor:
    """What blocks read of any two independent input qubits.

    Args:
        ansatz: the block's ansatz; all its gates have matrices.
        weights: raw weights, (blocks, parameters).
        inputs: the Pauli basis in which both input states are written, such as ``"IZX"``.
        outputs: Pauli matrices of the kept qubit that are read, such as ``"Z"``.

    Returns:
        (blocks, outputs, inputs, inputs), the control's axis before the kept qubit's, of the dtype and device of
        ``weights``, differentiable by them: <P_o> = sum_ij R[o, i, j] c_i b_j for inputs (sum_i c_i P_i) / 2 and
        (sum_j b_j P_j) / 2. Computed in double precision.
    """
    # A gate may make others to find its matrix.
    with circuits_locked():
        columns = _columns(ansatz, weights.double())
    rows = 2**ansatz.wires
    # The readout acts on the kept wire alone: before it and after it, wires are one index each.
    split = columns.view(len(weights), 2**ansatz.kept, 2, rows >> (ansatz.kept + 1), 4)
    basis = _pauli(inputs, split)
    products = torch.einsum("iac,jbd->ijabcd", basis, basis).reshape(len(inputs), len(inputs), 4, 4)
    # In two steps: the order of more than two factors, and so the rounding, depends on whether opt_einsum is installed.
    read = torch.einsum("gxuym,ouv->gxymov", split.conj(), _pauli(outputs, split))
    observables = torch.einsum("gxymov,gxvyn->gomn", read, split)
    return (torch.einsum("gomn,ijnm->goij", observables, products).real / 4).to(weights.dtype)


def _columns(ansatz: Ansatz, weights: Tensor) -> Tensor:
    """Columns of the blocks' matrices that input qubits reach, ancillas being 0: (blocks, 2^wires, 4)."""
    blocks, wires = len(weights), ansatz.wires
    start = torch.eye(2**wires, dtype=torch.complex128, device=weights.device)[:, :: 2 ** (wires - 2)]
    state = start.expand(blocks, -1, -1).reshape(blocks, *[2] * wires, 4)
    for gate in ansatz.trace(weights).operations:
        matrix = torch.as_tensor(gate.matrix()).to(state)
        front = range(1, len(gate.wires) + 1)
        moved = state.movedim([wire + 1 for wire in gate.wires], list(front))
        size = 2 ** len(gate.wires)
        state = (matrix @ moved.reshape(blocks, size, -1)).view(moved.shape)
        state = state.movedim(list(front), [wire + 1 for wire in gate.wires])
    return state.reshape(blocks, 2**wires, 4)


def _pauli(names: Sequence[str], like: Tensor) -> Tensor:
    return torch.tensor([PAULI[name] for name in names], dtype=like.dtype, device=like.device)
