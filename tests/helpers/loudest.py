"""A head of somebody's own, in one file and one line: it keeps the numbers of most power, found by a fit."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from hybrid_qproj import Head
from hybrid_qproj.heads.config import HeadConfig
from hybrid_qproj.heads.fit import Fit


@dataclass(frozen=True)
class Taste:
    """Settings of the fit: the power to which numbers are raised before they are compared."""

    power: int = 2


class LoudestConfig(HeadConfig):
    """What is saved of it."""

    gain: float = 1.0


class Loudest(Head):
    """The k numbers of most power, times a gain."""

    kind = "my loudest"
    fitting = Fit(required=True, settings=Taste)
    SCHEMA = LoudestConfig

    def __init__(self, in_features: int, out_features: int, gain: float = 1.0) -> None:
        super().__init__(in_features, out_features)
        self.gain = gain
        self.register_buffer("places", torch.arange(out_features))

    @classmethod
    def fit(cls, embeddings, out_features: int, settings: Taste | None = None, gain: float = 1.0):
        """See `Head.fit`."""
        head = cls(embeddings.shape[1], out_features, gain)
        power = embeddings.abs().pow((settings or Taste()).power).mean(dim=0)
        head.places.copy_(power.topk(out_features).indices.sort().values)
        return head.eval()

    def forward(self, embeddings):
        """See `Head.forward`."""
        return self.gain * embeddings[..., self.places]

    def config(self):
        """See `Head.config`."""
        return {**super().config(), "gain": self.gain}
