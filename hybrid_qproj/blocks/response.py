"""Nine probes a block: its response tensor, exact for every input of every batch.

<Z> of a block is a trigonometric polynomial of degree one in each of its two input angles a and b:
z(a, b) = sum_ij R[i, j] f_i(a) f_j(b) with f(t) = (1, cos t, sin t). Nine circuits give R; nothing about the
circuit is assumed, so this holds for any ansatz and for a noisy device too. Where the device is an exact simulator of
gates with matrices, `hybrid_qproj.blocks.exact` gives the same R for less.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from hybrid_qproj.blocks.exact import pauli_responses
from hybrid_qproj.blocks.executor import BlockExecutor

TRINE = tuple(2 * math.pi * m / 3 for m in range(3))
PROBES_PER_BLOCK = len(TRINE) ** 2


def probe_angles(like: Tensor) -> Tensor:
    """The nine input pairs: every pair of the angles 0, 2 pi/3 and 4 pi/3, the best-conditioned choice.

    Args:
        like: tensor whose dtype and device are taken.

    Returns:
        RY angles in radians, (9, 2); the control's angle varies slowest.
    """
    trine = torch.tensor(TRINE, dtype=like.dtype, device=like.device)
    return torch.cartesian_prod(trine, trine)


def fit_response(values: Tensor) -> Tensor:
    """Response tensors from the measured values at the nine probes.

    Args:
        values: <Z> at `probe_angles`, (blocks, 9).

    Returns:
        response tensors R, (blocks, 3, 3).
    """
    inverse = _inverse_features(values)
    return inverse @ values.unflatten(-1, (3, 3)) @ inverse.T


def response_errors(variances: Tensor) -> Tensor:
    """Standard errors of response tensors, by propagation through the linear fit.

    Args:
        variances: variance of the measured value at each of the nine probes, (blocks, 9), independent.

    Returns:
        standard errors of R, (blocks, 3, 3).
    """
    squared = _inverse_features(variances).square()
    return (squared @ variances.unflatten(-1, (3, 3)) @ squared.T).sqrt()


def _inverse_features(like: Tensor) -> Tensor:
    trine = torch.tensor(TRINE, dtype=like.dtype, device=like.device)
    features = torch.stack([torch.ones_like(trine), trine.cos(), trine.sin()])
    # On the trine the features are orthogonal: sum_m f_i f_j = diag(3, 3/2, 3/2).
    return features / features.square().sum(dim=1, keepdim=True)


def block_responses(executor: BlockExecutor, weights: Tensor) -> Tensor:
    """Run the nine probes of every block.

    Args:
        executor: what runs the circuits.
        weights: raw weights, (blocks, parameters).

    Returns:
        response tensors, (blocks, 3, 3), of the dtype of ``weights``, differentiable by them.
    """
    blocks = len(weights)
    inputs = probe_angles(weights).repeat(blocks, 1)
    values = executor(inputs, weights.repeat_interleave(PROBES_PER_BLOCK, dim=0))
    return fit_response(values.unflatten(0, (blocks, PROBES_PER_BLOCK)))


def exact_or_probed(executor: BlockExecutor, weights: Tensor) -> Tensor:
    """Response tensors of every block, by their matrices where these are what the device computes, else by probes.

    Args:
        executor: what runs the circuits.
        weights: raw weights, (blocks, parameters).

    Returns:
        response tensors, (blocks, 3, 3), of the dtype of ``weights``, differentiable by them.
    """
    if executor.by_matrices:
        return pauli_responses(executor.ansatz, weights, inputs="IZX", outputs="Z")[:, 0]
    return block_responses(executor, weights)


def contract(response: Tensor, control: tuple[Tensor, Tensor], kept: tuple[Tensor, Tensor]) -> Tensor:
    """<Z> of blocks at any inputs.

    Args:
        response: response tensors, (blocks, 3, 3).
        control: cosine and sine of the control's angle, each (..., blocks).
        kept: cosine and sine of the kept qubit's angle, each (..., blocks).

    Returns:
        z in [-1, 1], (..., blocks).
    """
    return contract_rows(rows_of(response), control, kept)


def rows_of(response: Tensor) -> Tensor:
    """Response tensors as `contract_rows` takes them: each of the nine entries a row, for all blocks, (9, blocks)."""
    return response.flatten(1).T.contiguous()


def contract_rows(rows: Tensor, control: tuple[Tensor, Tensor], kept: tuple[Tensor, Tensor]) -> Tensor:
    """`contract` for response tensors in the order in which it reads them."""
    (cos_c, sin_c), (cos_b, sin_b) = control, kept
    r = rows.unbind(0)
    by_one = torch.addcmul(r[0] + r[1] * cos_b, r[2], sin_b)
    by_cos = torch.addcmul(r[3] + r[4] * cos_b, r[5], sin_b)
    by_sin = torch.addcmul(r[6] + r[7] * cos_b, r[8], sin_b)
    z = torch.addcmul(torch.addcmul(by_one, by_cos, cos_c), by_sin, sin_c)
    # Rounding, shots and fits can leave [-1, 1] by a little; a Bloch vector cannot.
    return z.clamp(-1, 1)
