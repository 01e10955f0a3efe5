"""Nine probes a block: its response tensor, exact for every input of every batch.

<Z> of a block is a trigonometric polynomial of degree one in each of its two input angles a and b:
z(a, b) = sum_ij R[i, j] f_i(a) f_j(b) with f(t) = (1, cos t, sin t). Nine circuits give R; nothing about the
circuit is assumed, so this holds for any ansatz and for a noisy device too. Where the device is an exact simulator of
gates with matrices, `hybrid_qproj.blocks.exact` gives the same R for less.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hybrid_qproj._util.norms import widened
from hybrid_qproj._util.validation import NotFiniteError
from hybrid_qproj.blocks.exact import pauli_responses
from hybrid_qproj.blocks.executor import BlockExecutor
from hybrid_qproj.blocks.threads import circuits_locked

TRINE = tuple(2 * math.pi * m / 3 for m in range(3))
PROBES_PER_BLOCK = len(TRINE) ** 2
KEPT = 8
"""Sets of weights whose responses a cache keeps, so that callers with other dtypes or torch devices do not drive each
other's out."""


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


class _OnDemandGradient(torch.autograd.Function):
    """A cached value whose gradient is computed, by circuits, only if somebody asks for it."""

    @staticmethod
    def forward(ctx: Any, weights: Tensor, value: Tensor, compute: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.save_for_backward(weights)
        ctx.compute = compute
        return value.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (weights,) = ctx.saved_tensors
        with torch.enable_grad():
            leaf = weights.detach().requires_grad_()
            (by_weights,) = torch.autograd.grad(ctx.compute(leaf), leaf, gradient)
        return by_weights, None, None


class _Measured(NamedTuple):
    """Weights and their responses, which are published together."""

    weights: Tensor
    responses: Tensor


class ResponseCache:
    """Response tensors of all stages of a head, computed in one run and kept while the weights stay.

    Whether weights changed is decided by their values: version counters and addresses miss changes through
    ``.data``, ``load_state_dict(assign=True)`` and ``functional_call``. Any number of threads may call it; those that
    want what nobody has measured wait for the one that measures.

    Args:
        compute: (executor, weights) -> response tensors.
    """

    def __init__(self, compute: Callable[[BlockExecutor, Tensor], Tensor] = exact_or_probed) -> None:
        self._compute = compute
        # Never changed, only replaced: a thread that reads it sees one state.
        self._measured: tuple[_Measured, ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_measured": ()}

    @torch.compiler.disable
    def __call__(self, executor: BlockExecutor, weights: Tensor, dtype: torch.dtype, training: bool) -> Tensor:
        """Response tensors of all blocks.

        Args:
            executor: what runs the circuits.
            weights: raw weights, (blocks, parameters), which nobody changes meanwhile.
            dtype: float32 or float64.
            training: True computes anew whenever a gradient is wanted; False takes cached values and runs
                circuits for the gradient only in the backward pass.

        Returns:
            a tensor whose first axis is the blocks: (blocks, 3, 3) for `exact_or_probed`.
        """
        weights = widened(weights, dtype)
        wanted = weights.requires_grad and torch.is_grad_enabled()
        if training and wanted:
            return self._compute(executor, weights)
        responses = self._cached(executor, weights.detach())
        if not wanted:
            return responses
        on_demand: Tensor = _OnDemandGradient.apply(weights, responses, lambda w: self._compute(executor, w))
        return on_demand

    def _cached(self, executor: BlockExecutor, weights: Tensor) -> Tensor:
        found = self._find(weights)
        if found is None:
            with circuits_locked():
                # Another thread may have measured them while this one waited.
                found = self._find(weights)
                if found is None:
                    if not weights.isfinite().all():
                        raise NotFiniteError(
                            "the head has weights that are not finite; train it again, or load an earlier one"
                        )
                    # A tensor born in inference mode could not take part in a later training step.
                    with torch.inference_mode(False), torch.no_grad():
                        kept = weights.clone()
                        found = self._compute(executor, kept)
                    self._measured = (_Measured(kept, found), *self._measured)[:KEPT]
        return found

    def _find(self, weights: Tensor) -> Tensor | None:
        for known in self._measured:
            same_kind = known.weights.dtype == weights.dtype and known.weights.device == weights.device
            if same_kind and torch.equal(known.weights, weights):
                return known.responses
        return None


class FixedResponses:
    """Response tensors that were measured before: no circuit runs, and no gradient by the weights exists.

    Args:
        weights: raw weights that were measured, (blocks, parameters).
        responses: their response tensors, (blocks, 3, 3).
    """

    def __init__(self, weights: Tensor, responses: Tensor) -> None:
        self.weights = weights
        self.responses = responses

    @torch.compiler.disable
    def __call__(self, executor: BlockExecutor, weights: Tensor, dtype: torch.dtype, training: bool) -> Tensor:
        """Response tensors of all blocks, as `ResponseCache` gives them.

        Raises:
            ValueError: the weights are no longer those that were measured.
        """
        if not torch.equal(weights.detach().double().cpu(), self.weights):
            raise ValueError(
                "the head's weights changed since they were measured; calibrate again, or return to running circuits "
                "with head.to_device(...)"
            )
        return self.responses.to(weights.device, dtype)
