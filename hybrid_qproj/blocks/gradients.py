"""Gradients of circuits that are made of circuits, in the thread that asks for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from hybrid_qproj.blocks.threads import circuits_locked


class LockedGradient(torch.autograd.Function):
    """Values of circuits whose gradient is more circuits, or shifts of them: its backward pass takes the lock too.

    ``apply`` takes what runs the circuits, ``(inputs, weights) -> values`` with a graph, and its two tensors. Its
    values can be differentiated once.
    """

    @staticmethod
    def forward(ctx: Any, run: Callable[[Tensor, Tensor], Tensor], *given: Tensor) -> Tensor:
        """Run the circuits, and keep their graph."""
        leaves = [
            value.detach().requires_grad_(wanted) for value, wanted in zip(given, ctx.needs_input_grad[1:], strict=True)
        ]
        with torch.enable_grad():
            values = run(*leaves)
        # Saved the usual way so that a second backward pass over a freed graph is the usual error.
        ctx.save_for_backward(*given)
        ctx.inner = leaves, values
        return values.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients by inputs and weights, as far as they are wanted."""
        _ = ctx.saved_tensors
        leaves, values = ctx.inner
        wanted = [leaf for leaf in leaves if leaf.requires_grad]
        with circuits_locked():
            found = iter(torch.autograd.grad(values, wanted, upstream, retain_graph=True, allow_unused=True))
        return None, *(next(found) if leaf.requires_grad else None for leaf in leaves)
