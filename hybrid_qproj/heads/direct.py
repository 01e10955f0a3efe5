"""Direct mode: the qubits' angles by one circuit for every block and embedding, and no response tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from hybrid_qproj.blocks.executor import BlockExecutor
from hybrid_qproj.blocks.layer import BlockLayer
from hybrid_qproj.contraction.gather import PlanGather
from hybrid_qproj.encoding import encode, reprepare


class DirectRun(NamedTuple):
    """A plan's stages, one after the other, by circuits.

    Attributes:
        executor: what runs them.
        layers: the stages.
        gather: the plan's reads.
        normalize: whether embeddings are divided by their norm.
    """

    executor: BlockExecutor
    layers: Sequence[BlockLayer]
    gather: PlanGather
    normalize: bool

    def stages(
        self, embeddings: Tensor, scale: Tensor | None, weights: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Cosines and sines of the qubits' angles: those of the encoding first, then those that each stage writes.

        Args:
            embeddings: (..., d), float32 or float64.
            scale: of the encoding, or None.
            weights: raw weights of each stage, (blocks, parameters).

        Returns:
            as `hybrid_qproj.contraction.projector.Projector.stages`, which does the same by response tensors.
        """
        cosine, sine = encode(embeddings, scale, self.normalize)
        cosines, sines = [cosine], [sine]
        reads = zip(self.gather.control, self.gather.kept, strict=True)
        for layer, raw, (read_c, read_b) in zip(self.layers, weights, reads, strict=True):
            angles = [torch.atan2(read(sines), read(cosines)) for read in (read_c, read_b)]
            z = layer.run(torch.stack(angles, dim=-1).flatten(-2), raw, self.executor).clamp(-1, 1)
            cosines.append(z)
            sines.append(reprepare(z))
        return cosines, sines
