"""Weights of any ansatz whose blocks come as close as they can to given responses: least squares."""

from __future__ import annotations

import torch
from torch import Tensor

from hybrid_qproj.blocks.executor import BlockExecutor
from hybrid_qproj.blocks.response import exact_or_probed
from hybrid_qproj.circuits import Ansatz, get
from hybrid_qproj.devices import DeviceSpec, check_usable
from hybrid_qproj.devices.checks import check_known, check_request
from hybrid_qproj.devices.cost import check_allowed
from hybrid_qproj.fitting.errors import FitError
from hybrid_qproj.fitting.rotations import FittedPlan

RANDOM_STARTS = 4
"""Random starts; each block takes the best."""
STEPS_PER_START = 40
SOLVED_BELOW = 1e-10
"""Sum of squares of a block below which it is done."""
UNSEEN_BELOW = 1e-2
"""Singular values of the derivatives, in relation to the largest, below which a direction counts as unseen."""


def weights_of(ansatz: Ansatz, fitted: FittedPlan) -> Tensor:
    """Raw weights by which blocks do the rotations of a fitted plan, or come as close to them as they can.

    Args:
        ansatz: the blocks' ansatz.
        fitted: the plan with its rotor angles.

    Returns:
        raw weights, (blocks, parameters), float64.
    """
    if ansatz == get("rotor"):
        return torch.cat(fitted.angles)[:, None]
    return fit_weights(ansatz, torch.cat(fitted.responses()))[0]


def fit_weights(ansatz: Ansatz, targets: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Fit blocks to response tensors by Levenberg-Marquardt steps, all blocks at once, by exact simulation.

    Args:
        ansatz: the blocks' ansatz.
        targets: response tensors, (blocks, 3, 3).
        seed: of the random starts.

    Returns:
        raw weights, (blocks, parameters), and each block's root mean square deviation from its target, (blocks,),
        float64.
    """
    wanted = targets.detach().double().flatten(1)
    executor = BlockExecutor(ansatz, DeviceSpec("default.qubit"))
    generator = torch.Generator().manual_seed(seed)
    name = "random" if "random" in ansatz.initializers else next(iter(ansatz.initializers))
    best = torch.empty(len(wanted), ansatz.parameters, dtype=torch.float64)
    least = torch.full((len(wanted),), torch.inf, dtype=torch.float64)
    for _ in range(RANDOM_STARTS):
        start = ansatz.initializers[name](len(wanted), generator).double()
        found, loss = _descend(executor, start, wanted)
        better = loss < least
        best[better], least[better] = found[better], loss[better]
        if bool((least < SOLVED_BELOW).all()):
            break
    return best, _deviation(least, wanted)


def check_corrections(device: str | DeviceSpec, rounds: int, allow_paid: bool = False) -> None:
    """Refuse a device for a fit before any work; nothing is built or contacted.

    Args:
        device: device string of the head that is to be fitted.
        rounds: of corrections on the device; with none no circuit runs there, so it need not be installed.
        allow_paid: whether it may be one that can cost money.

    Raises:
        DeviceSpecError: the string cannot be read.
        DeviceUnavailableError: nobody knows the device, it cannot do what is asked, or corrections find no plugin.
        PaidDeviceError: there are to be corrections, and it can cost money and is not allowed.
    """
    spec = DeviceSpec.parse(device)
    check_known(spec.name)
    if rounds:
        shots = f" of {spec.shots:,} shots" if spec.shots else ""
        check_allowed(spec, allow_paid, f"Nine circuits a block{shots} were to run, {rounds + 1} times")
        check_usable(spec)
    check_request(spec)


def correct_weights(
    ansatz: Ansatz,
    weights: Tensor,
    targets: Tensor,
    device: str | DeviceSpec,
    rounds: int,
    allow_paid: bool = False,
) -> tuple[Tensor, Tensor]:
    """Bring blocks closer to response tensors on a device as it is, with its noise and its errors.

    Each round measures the blocks, nine circuits each, and takes the Gauss-Newton step from the measured deviation
    by the derivatives of an exact simulation; a block keeps the better of its two weights. The device computes no
    gradient, so a sampling or a real one serves as well.

    Args:
        ansatz: the blocks' ansatz.
        weights: raw weights to begin with, (blocks, parameters).
        targets: response tensors, (blocks, 3, 3).
        device: device string.
        rounds: at least 1; the blocks are measured once more than that.
        allow_paid: whether the device may be one that can cost money.

    Returns:
        as `fit_weights`, the deviation as measured.

    Raises:
        FitError: ``rounds`` is below 1.
        PaidDeviceError: the device can cost money and is not allowed.
    """
    if rounds < 1:
        raise FitError(f"rounds={rounds}: expected 1 or more; without corrections, run the head as it is")
    wanted = targets.detach().double().flatten(1)
    device_executor = BlockExecutor(ansatz, DeviceSpec.parse(device), allow_paid=allow_paid)
    exact = BlockExecutor(ansatz, DeviceSpec("default.qubit"))
    best = weights.detach().double()
    residual = _measured(device_executor, best) - wanted
    for _ in range(rounds):
        _, jacobian = _linearised(exact, best, wanted)
        # Directions that no response sees are left as they are.
        step = torch.linalg.lstsq(jacobian, residual[..., None], rcond=UNSEEN_BELOW, driver="gelsd").solution[..., 0]
        tried = best - step
        found = _measured(device_executor, tried) - wanted
        better = found.square().sum(dim=1) < residual.square().sum(dim=1)
        best = torch.where(better[:, None], tried, best)
        residual = torch.where(better[:, None], found, residual)
    return best, _deviation(residual.square().sum(dim=1), wanted)


def _measured(executor: BlockExecutor, weights: Tensor) -> Tensor:
    with torch.no_grad():
        return exact_or_probed(executor, weights).flatten(1)


def _deviation(loss: Tensor, wanted: Tensor) -> Tensor:
    """Root mean square from the sum of squares."""
    return (loss / wanted.shape[1]).sqrt()


def _descend(executor: BlockExecutor, weights: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    damping = torch.full((len(weights),), 1e-2, dtype=torch.float64)
    residual, jacobian = _linearised(executor, weights, wanted)
    loss = residual.square().sum(dim=1)
    for _ in range(STEPS_PER_START):
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
        if bool((loss < SOLVED_BELOW).all()):
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
