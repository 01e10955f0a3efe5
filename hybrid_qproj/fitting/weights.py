"""Weights of any ansatz whose blocks come as close as they can to given responses: least squares."""

from __future__ import annotations

import torch
from torch import Tensor

from hybrid_qproj.circuits import Ansatz
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.qnodes import BlockExecutor
from hybrid_qproj.response import exact_or_probed

STARTS = 4
"""Random starts; each block takes the best."""
STEPS = 40
SOLVED = 1e-10
"""Sum of squares of a block below which it is done."""


def fit_weights(ansatz: Ansatz, targets: Tensor, device: str = "default.qubit", seed: int = 0) -> tuple[Tensor, Tensor]:
    """Fit blocks to response tensors by Levenberg-Marquardt steps, all blocks at once.

    Args:
        ansatz: the blocks' ansatz.
        targets: response tensors, (blocks, 3, 3).
        device: on which the responses are meant; a noisy one gets weights that allow for its noise as far as they can.
        seed: of the random starts.

    Returns:
        raw weights, (blocks, parameters), and each block's root mean square deviation from its target, (blocks,),
        float64.
    """
    executor = BlockExecutor(ansatz, DeviceSpec.parse(device))
    wanted = targets.detach().double().flatten(1)
    generator = torch.Generator().manual_seed(seed)
    name = "random" if "random" in ansatz.initializers else next(iter(ansatz.initializers))
    best = torch.empty(len(wanted), ansatz.parameters, dtype=torch.float64)
    least = torch.full((len(wanted),), torch.inf, dtype=torch.float64)
    for _ in range(STARTS):
        start = ansatz.initializers[name](len(wanted), generator).double()
        found, loss = _descend(executor, start, wanted)
        better = loss < least
        best[better], least[better] = found[better], loss[better]
        if bool((least < SOLVED).all()):
            break
    return best, (least / wanted.shape[1]).sqrt()


def _descend(executor: BlockExecutor, weights: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    damping = torch.full((len(weights),), 1e-2, dtype=torch.float64)
    residual, jacobian = _linearised(executor, weights, wanted)
    loss = residual.square().sum(dim=1)
    for _ in range(STEPS):
        normal = jacobian.mT @ jacobian
        normal = normal + damping[:, None, None] * torch.eye(normal.shape[-1], dtype=torch.float64)
        step = torch.linalg.solve(normal, (jacobian.mT @ residual[..., None])[..., 0])
        tried = weights - step
        new_residual, new_jacobian = _linearised(executor, tried, wanted)
        new_loss = new_residual.square().sum(dim=1)
        better = new_loss < loss
        weights = torch.where(better[:, None], tried, weights)
        residual = torch.where(better[:, None], new_residual, residual)
        jacobian = torch.where(better[:, None, None], new_jacobian, jacobian)
        loss = torch.where(better, new_loss, loss)
        damping = torch.where(better, damping / 3, damping * 4).clamp(1e-9, 1e9)
        if bool((loss < SOLVED).all()):
            break
    return weights, loss


def _linearised(executor: BlockExecutor, weights: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Residuals, (blocks, 9), and their derivatives by the weights, (blocks, 9, parameters)."""
    leaf = weights.detach().requires_grad_()
    residual = exact_or_probed(executor, leaf).flatten(1) - wanted
    rows = [
        # A block's residual depends on its own weights only, so one pass serves all blocks.
        torch.autograd.grad(residual[:, entry].sum(), leaf, retain_graph=True)[0]
        for entry in range(residual.shape[1])
    ]
    return residual.detach(), torch.stack(rows, dim=1)
