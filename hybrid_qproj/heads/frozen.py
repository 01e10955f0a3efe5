"""Heads of circuits as plain modules: what their blocks do is a constant, and no circuit runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hybrid_qproj._util.norms import unit
from hybrid_qproj.blocks.bloch_map import apply_maps
from hybrid_qproj.blocks.response import contract_rows, rows_of
from hybrid_qproj.contraction.gather import PlanGather
from hybrid_qproj.encoding import encode, reprepare
from hybrid_qproj.errors import HybridQprojError
from hybrid_qproj.plan import Plan

FLOOR = 1e-5
"""Least norm by which an output is divided."""


class ExportError(HybridQprojError, ValueError):
    """A module that cannot be written as a file of another format, or traced for one."""


def check_exporting(kind: str) -> None:
    """Refuse to be traced by torch.export: a head of circuits would have to run them on tensors without numbers.

    Args:
        kind: of head, for the message.

    Raises:
        ExportError: a program is being exported.
    """
    if torch.compiler.is_exporting():
        raise ExportError(
            f"a {kind} runs circuits, which no exported program can; export what it has become: "
            "torch.export.export(head.frozen(), ...), or head.export(path) for an ONNX file"
        )


class Frozen(nn.Module):
    """What the frozen heads share: the encoding, a tensor a stage, and a plan's reads.

    Nothing in it looks at its data or calls back into the head, so that torch.export, torch.onnx, torch.compile and
    torch.vmap take it as any module. What is no embedding is not refused but computed with: NaN gives NaN.

    Args:
        plan: the plan.
        normalize: whether embeddings are divided by their norm.
        scale: of the encoding, or None.
        blocks: what the blocks do, a tensor a stage.
    """

    def __init__(self, plan: Plan, normalize: bool, scale: Tensor | None, blocks: Sequence[Tensor]) -> None:
        super().__init__()
        self.normalize = normalize
        self.gather = PlanGather(plan)
        self.scale: Tensor | None
        self.register_buffer("scale", None if scale is None else scale.detach().clone())
        for number, stage in enumerate(blocks):
            self.register_buffer(f"stage{number}", stage.detach().clone())

    @property
    def stages(self) -> list[Tensor]:
        """The tensors, stage by stage."""
        return [self.get_buffer(f"stage{number}") for number in range(len(self.gather.control))]

    def _computed(self, embeddings: Tensor) -> Tensor:
        return embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))


class FrozenProjection(Frozen):
    """A `QuantumProjection` with its response tensors as constants: (..., d) to angles (..., k).

    Args:
        plan: the plan.
        normalize: whether embeddings are divided by their norm.
        scale: of the encoding, or None.
        responses: a tensor a stage, (blocks, 3, 3).
        normalize_output: see `QuantumProjection`.
    """

    def __init__(
        self, plan: Plan, normalize: bool, scale: Tensor | None, responses: Sequence[Tensor], normalize_output: bool
    ) -> None:
        super().__init__(plan, normalize, scale, [rows_of(response) for response in responses])
        self.normalize_output = normalize_output
        self.features = plan.features

    def forward(self, embeddings: Tensor) -> Tensor:
        """Project, of the dtype of the embeddings."""
        computed = self._computed(embeddings)
        angles = self._angles(computed)
        if self.normalize_output:
            zero = self._angles(torch.zeros_like(computed[..., :1]).expand(*computed.shape[:-1], self.features))
            angles = math.pi / 2 - unit(zero - angles, FLOOR)
        return angles.to(embeddings.dtype)

    def _angles(self, embeddings: Tensor) -> Tensor:
        cosine, sine = encode(embeddings, self.scale, self.normalize)
        cosines, sines = [cosine], [sine]
        for read_c, read_b, rows in zip(self.gather.control, self.gather.kept, self.stages, strict=True):
            given = rows.to(embeddings.dtype)
            z = contract_rows(given, (read_c(cosines), read_c(sines)), (read_b(cosines), read_b(sines)))
            cosines.append(z)
            sines.append(reprepare(z))
        return torch.atan2(self.gather.output(sines).abs(), self.gather.output(cosines))


class FrozenCoherent(Frozen):
    """A `CoherentProjection` with its maps as constants: (..., d) to Bloch vectors (..., 3 k)."""

    def forward(self, embeddings: Tensor) -> Tensor:
        """Project, of the dtype of the embeddings."""
        computed = self._computed(embeddings)
        cosine, sine = encode(computed, self.scale, self.normalize)
        states = [torch.stack([sine, torch.zeros_like(sine), cosine], dim=-2)]
        for read_c, read_b, maps in zip(self.gather.control, self.gather.kept, self.stages, strict=True):
            states.append(apply_maps(maps.to(computed.dtype), read_c(states), read_b(states)))
        return self.gather.output(states).flatten(-2).to(embeddings.dtype)
