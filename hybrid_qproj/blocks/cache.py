"""Response tensors that stay while the weights stay: of circuits that were run, or measured before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hybrid_qproj._util.norms import widened
from hybrid_qproj._util.validation import NotFiniteError
from hybrid_qproj.blocks.executor import BlockExecutor
from hybrid_qproj.blocks.response import exact_or_probed
from hybrid_qproj.blocks.threads import circuits_locked
from hybrid_qproj.errors import ArgumentError

SETS_KEPT = 8
"""Sets of weights whose responses a cache keeps, so that callers with other dtypes or torch devices do not drive each
other's out."""


class _OnDemandGradient(torch.autograd.Function):
    """A cached value whose gradient is computed, by circuits, only if somebody asks for it."""

    @staticmethod
    def forward(weights: Tensor, value: Tensor, compute: Callable[[Tensor], Tensor]) -> Tensor:
        del weights, compute
        return value.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])
        ctx.compute = inputs[2]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (weights,) = ctx.saved_tensors
        with torch.enable_grad():
            leaf = weights.detach().requires_grad_()
            (by_weights,) = torch.autograd.grad(ctx.compute(leaf), leaf, gradient)
        return by_weights, None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Tensor, None]:
        """Under torch.vmap over embeddings: the weights are the same for all."""
        del info
        if any(dim is not None for dim in in_dims):
            raise ArgumentError(
                "torch.vmap over a head's weights: it maps over embeddings only; call each head by itself"
            )
        return _OnDemandGradient.apply(*inputs), None


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
                    self._measured = (_Measured(kept, found), *self._measured)[:SETS_KEPT]
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
            raise ArgumentError(
                "the head's weights changed since they were measured; calibrate again, or return to running circuits "
                "with head.to_device(...)"
            )
        return self.responses.to(weights.device, dtype)
