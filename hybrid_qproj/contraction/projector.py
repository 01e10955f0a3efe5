"""The head's arithmetic from embeddings to angles in one pass over memory, forward and backward.

Done operation by operation on a large batch, it spends its time allocating temporaries. Here it goes through pieces of
the batch that stay in cache, or, after `Projector.compile`, through kernels of torch.compile. Either way the backward
pass computes the forward one again instead of storing what is between the stages.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise, starmap
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from hybrid_qproj._util.norms import unit
from hybrid_qproj._util.validation import check_embeddings
from hybrid_qproj.blocks.response import contract_rows, rows_of
from hybrid_qproj.contraction.forest import Forest, forest_of
from hybrid_qproj.contraction.gather import PlanGather
from hybrid_qproj.contraction.tiled import TiledPass
from hybrid_qproj.encoding import encode, reprepare

NUMBERS_PER_PIECE = 1 << 18
"""Numbers of a piece of the batch: a few float32 temporaries of this size stay in a core's cache."""
KEPT_BYTES = 30 << 20
"""Less than the 32 MiB at which the C library (glibc) stops to learn from what is freed."""
IN_REGISTERS: dict[str, Any] = dict.fromkeys(
    ("realize_opcount_threshold", "realize_reads_threshold", "realize_acc_reads_threshold"), 1 << 20
)
"""Of torch.compile: results are not written to memory because it took many operations to compute them."""
NUMBERS_PER_GPU_PIECE = 1 << 26
"""The same on a GPU, where pieces bound memory only, and each costs the launch of some hundred kernels."""


class Projector:
    """A plan's arithmetic as a function of embeddings, scale and response tensors.

    Args:
        gather: the plan's reads.
        normalize: whether embeddings are divided by their norm.
    """

    def __init__(self, gather: PlanGather, normalize: bool) -> None:
        self.gather = gather
        self.normalize = normalize
        self.width = gather.output.width
        self._tiled = TiledPass(gather, normalize)
        self._forest = forest_of(gather.plan)
        # The forest's tables by torch device.
        self._forests: dict[torch.device, Forest] = {}
        self._compiled: dict[Any, Callable[..., Any]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Kernels belong to this process, and what lies on a device to that.
        return {**self.__dict__, "_compiled": None if self._compiled is None else {}, "_forests": {}}

    def compile(self) -> None:
        """Use torch.compile from the next call on; the first call of each kind then takes long.

        Without a compiler this warns and changes nothing.
        """
        # torch.compile would find out only at the first call, by an error from deep inside.
        if not any(map(shutil.which, ("c++", "g++", "clang++"))):
            warnings.warn("no C++ compiler found: the head's arithmetic stays uncompiled", stacklevel=3)
            return
        self._compiled = {}

    def __call__(self, embeddings: Tensor, scale: Tensor | None, responses: Sequence[Tensor]) -> Tensor:
        """Project.

        Args:
            embeddings: (..., d), float32 or float64.
            scale: of the encoding, or None.
            responses: one tensor a stage, (blocks, 3, 3), of the same dtype.

        Returns:
            angles, (..., k), in [0, pi].

        Raises:
            NotFiniteError: `watches` the embeddings, and a number is not finite.
        """
        if forest := self._grown(embeddings):
            flat = embeddings.reshape(-1, embeddings.shape[-1])
            flat = (unit(flat) if self.normalize else flat).contiguous()
            factor = None if scale is None else scale.to(flat.device)
            found: Tensor = _OneKernel.apply(self, forest, flat, factor, torch.cat(list(responses)))
            return found.view(*embeddings.shape[:-1], self.width)
        rows = [rows_of(response) for response in responses]
        # A kernel that is compiled for many rows would be compiled again for a single one.
        alone = embeddings.numel() == embeddings.shape[-1]
        small = embeddings.numel() <= _numbers_per_piece(embeddings) and (alone or self._compiled is None)
        # A compiler that is tracing the caller fuses by itself; a small batch stays in cache anyway.
        if torch.compiler.is_compiling() or _mapped(embeddings) or (small and torch.is_grad_enabled()):
            return self.pure(embeddings, scale, *rows)
        if small:
            return self._tiled.angles(self._tiled.forward(embeddings, scale, rows))
        flat = embeddings.reshape(-1, embeddings.shape[-1])
        angles: Tensor = _Fused.apply(self, flat, scale, *rows)
        return angles.view(*embeddings.shape[:-1], -1)

    def watches(self, embeddings: Tensor) -> bool:
        """Whether these embeddings, as they are, would be refused with `NotFiniteError` if a number is not finite."""
        return not self.normalize and self._grown(embeddings) is not None

    def _grown(self, embeddings: Tensor) -> Forest | None:
        """The plan's program on the device of the embeddings, if kernels take it and them."""
        if (
            self._forest is None
            or not embeddings.is_cuda
            or embeddings.dtype != torch.float32
            or torch.compiler.is_compiling()
            or _mapped(embeddings)
        ):
            return None
        if embeddings.device not in self._forests:
            self._forests[embeddings.device] = self._forest.to(embeddings.device)
        return self._forests[embeddings.device]

    def pure(self, embeddings: Tensor, scale: Tensor | None, *responses: Tensor) -> Tensor:
        """The same by plain operations."""
        return self.output(*self.stages(embeddings, scale, *responses))

    def of_units(self, embeddings: Tensor, scale: Tensor | None, responses: Tensor) -> Tensor:
        """`pure` for embeddings that are divided by their norm where that is asked for, and responses in one tensor."""
        rows = map(rows_of, responses.split([len(stage) for stage in self.gather.plan.stages]))
        return self.output(*self.stages(embeddings, scale, *rows, normalize=False))

    def output(self, cosines: list[Tensor], sines: list[Tensor]) -> Tensor:
        """Angles of the output qubits, (..., k), from what `stages` gives."""
        # A qubit that met no block still stands at -theta: the fidelity of outputs does not see the sign.
        return torch.atan2(self.gather.output(sines).abs(), self.gather.output(cosines))

    def stages(
        self, embeddings: Tensor, scale: Tensor | None, *responses: Tensor, normalize: bool | None = None
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Cosines and sines of the qubits' angles: those of the encoding first, then those that each stage writes."""
        cosine, sine = encode(embeddings, scale, self.normalize if normalize is None else normalize)
        cosines, sines = [cosine], [sine]
        for read_c, read_b, rows in zip(self.gather.control, self.gather.kept, responses, strict=True):
            z = contract_rows(rows, (read_c(cosines), read_c(sines)), (read_b(cosines), read_b(sines)))
            cosines.append(z)
            sines.append(reprepare(z))
        return cosines, sines

    def forward(self, *inputs: Tensor | None) -> Tensor:
        """Without a graph: compiled, or piece by piece."""
        embeddings, scale = inputs[:2]
        responses = [response for response in inputs[2:] if response is not None]
        assert embeddings is not None
        if self._compiled is not None:
            return self._kernel("forward", self._angles)(embeddings, scale, *responses)
        angles = embeddings.new_empty(len(embeddings), self.width)
        for part in _pieces(embeddings):
            self._tiled.angles(self._tiled.forward(embeddings[part], scale, responses), angles[part])
        return angles

    def backward(
        self, upstream: Tensor, inputs: Sequence[Tensor | None], wanted: Sequence[bool]
    ) -> list[Tensor | None]:
        """Gradients of the wanted inputs, None for the others; compiled or not, piece by piece: they stay in cache."""
        embeddings, scale, *responses = inputs
        assert embeddings is not None
        key = tuple(wanted)
        run = self._gradients if self._compiled is None else self._kernel(key, self._gradients)
        by_embeddings = torch.empty_like(embeddings) if wanted[0] else None
        total: list[Any] = [
            torch.zeros_like(value) if want and value is not None else None
            for value, want in zip(inputs[1:], wanted[1:], strict=True)
        ]
        for part in _pieces(embeddings):
            first, *others = run(upstream[part], embeddings[part], scale, responses, key)
            # The embeddings' gradient has a row a row; to the others every piece adds.
            if by_embeddings is not None:
                assert first is not None
                by_embeddings[part] = first
            for place, value in enumerate(others):
                if value is not None:
                    total[place].add_(value)
        return [by_embeddings, *total]

    def _kernel(self, key: Any, function: Callable[..., Any]) -> Callable[..., Any]:
        assert self._compiled is not None
        if key not in self._compiled:
            # What is computed in an output's own tree is used once: nothing between needs to be in memory.
            options = IN_REGISTERS if key == "forward" and self._forest is not None else None
            self._compiled[key] = torch.compile(function, dynamic=True, fullgraph=True, options=options)
        return self._compiled[key]

    def _angles(self, embeddings: Tensor, scale: Tensor | None, *responses: Tensor) -> Tensor:
        return self._tiled.angles(self._tiled.forward(embeddings, scale, responses))

    def _gradients(
        self,
        upstream: Tensor,
        embeddings: Tensor,
        scale: Tensor | None,
        responses: Sequence[Any],
        wanted: Sequence[bool],
    ) -> list[Tensor | None]:
        return self._tiled.backward(self._tiled.forward(embeddings, scale, responses), upstream, wanted)


class _Fused(torch.autograd.Function):
    """The arithmetic of a large batch, whose backward pass recomputes it."""

    @staticmethod
    def forward(projector: Projector, *inputs: Tensor | None) -> Tensor:
        return projector.forward(*inputs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.projector = inputs[0]
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        inputs, wanted = ctx.saved_tensors, ctx.needs_input_grad[1:]
        if torch.is_grad_enabled():
            # The gradient will be differentiated again: leave a graph.
            chosen = [number for number, want in enumerate(wanted) if want]
            found = torch.autograd.grad(
                ctx.projector.pure(*inputs), [inputs[number] for number in chosen], upstream, create_graph=True
            )
            gradients = dict(zip(chosen, found, strict=True))
            return None, *(gradients.get(number) for number in range(len(inputs)))
        return None, *ctx.projector.backward(upstream, inputs, wanted)


class _OneKernel(torch.autograd.Function):
    """The arithmetic of a plan that is a forest, by a kernel for the angles and one for the gradients."""

    @staticmethod
    def forward(
        projector: Projector, forest: Forest, embeddings: Tensor, scale: Tensor | None, responses: Tensor
    ) -> Tensor:
        angles: Tensor
        angles, bad = _kernels().project(forest, embeddings, scale, responses, embeddings.dtype)
        # The kernel has read every number anyway: a look of its own would be another pass over the batch.
        if bad.item():
            check_embeddings(embeddings, embeddings.shape[-1])
        return angles

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.projector, ctx.forest = inputs[:2]
        ctx.save_for_backward(*inputs[2:])

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        embeddings, scale, responses = ctx.saved_tensors
        wanted = ctx.needs_input_grad[2:]
        if torch.is_grad_enabled():
            # The gradient will be differentiated again: leave a graph.
            chosen = [number for number, want in enumerate(wanted) if want]
            inputs = [embeddings, scale, responses]
            angles = ctx.projector.of_units(*inputs)
            given = torch.autograd.grad(angles, [inputs[n] for n in chosen], upstream, create_graph=True)
            by_number = dict(zip(chosen, given, strict=True))
            return None, None, *(by_number.get(number) for number in range(len(inputs)))
        found = _kernels().gradients(ctx.forest, embeddings, scale, responses, upstream.contiguous(), tuple(wanted))
        return None, None, *found


def _mapped(embeddings: Tensor) -> bool:
    """Whether torch.vmap maps them, which has no rules for operations in place, nor for kernels; nowhere public."""
    return torch._C._functorch.is_batchedtensor(embeddings)


def _kernels() -> ModuleType:
    from hybrid_qproj.contraction import kernels  # noqa: PLC0415 - Triton comes with CUDA builds of torch only

    return kernels


def _pieces(embeddings: Tensor) -> Iterator[slice]:
    """Rows at once, as even as can be: a kernel would be compiled again for a single one that is left over."""
    rows = len(embeddings)
    if embeddings.is_cpu:
        # Freed once, it makes the C library keep memory up to twice its size, instead of giving the temporaries of each
        # piece back to the system and getting them again page by page, which takes longer than the arithmetic does.
        torch.empty(KEPT_BYTES, dtype=torch.uint8)
    count = min(rows, -(-embeddings.numel() // _numbers_per_piece(embeddings)))
    ends = [rows * number // count for number in range(count + 1)] if count else []
    return starmap(slice, pairwise(ends))


def _numbers_per_piece(embeddings: Tensor) -> int:
    return NUMBERS_PER_GPU_PIECE if embeddings.is_cuda else NUMBERS_PER_PIECE
