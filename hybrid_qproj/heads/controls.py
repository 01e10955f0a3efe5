"""Linear heads that differ from the classical one in a single thing each, for ablations of a quantum head."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from hybrid_qproj._util.norms import widened
from hybrid_qproj._util.validation import check_embeddings
from hybrid_qproj.heads.linear import ClassicalConfig, ClassicalProjection


class LinearAngles(ClassicalProjection):
    """A linear layer in place of the circuits: its outputs are read as angles, and compared by fidelity.

    Has a quantum head's encoding, bounds and similarity, and a classical head's map and parameters.

    Args:
        in_features: d.
        out_features: k, 1 <= k < d.
        init: see `ClassicalProjection`.
        generator: see there.

    Examples:
        >>> import torch
        >>> angles = LinearAngles(8, 2)(torch.zeros(3, 8))
        >>> angles.shape, bool(((angles > 0) & (angles < 3.2)).all())
        (torch.Size([3, 2]), True)
    """

    similarity: ClassVar[str] = "fidelity"
    SCHEMA: ClassVar[type[ClassicalConfig]] = ClassicalConfig

    def forward(self, embeddings: Tensor) -> Tensor:
        """Project (..., d) to (..., k) angles in [0, pi], of the same dtype."""
        return (1 + super().forward(embeddings)) * (math.pi / 2)


class UnboundedLinear(ClassicalProjection):
    """A linear layer without tanh, compared by cosine.

    Args:
        in_features: d.
        out_features: k, 1 <= k < d.
        init: see `ClassicalProjection`.
        generator: see there.
    """

    SCHEMA: ClassVar[type[ClassicalConfig]] = ClassicalConfig

    def forward(self, embeddings: Tensor) -> Tensor:
        """Project (..., d) to (..., k), of the same dtype; computed in float32 at least.

        Numbers too large for their sums to be finite count as the largest that are not, and get no gradient.
        """
        check_embeddings(embeddings, self.in_features)
        dtype = torch.promote_types(embeddings.dtype, torch.float32)
        bound = torch.finfo(dtype).max * 2.0**-24
        wide = widened(embeddings, dtype).clamp(-bound, bound)
        with torch.autocast(embeddings.device.type, enabled=False):
            sums = nn.functional.linear(wide, widened(self.linear.weight, dtype), widened(self.linear.bias, dtype))
        most = torch.finfo(embeddings.dtype).max / 4
        return sums.clamp(-most, most).to(embeddings.dtype)
