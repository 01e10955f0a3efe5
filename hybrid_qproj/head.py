"""What every projection head is: sizes, a similarity, a config, and a folder to live in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from hybrid_qproj.checkpoint import load_module, save_module
from hybrid_qproj.similarity import PAIRWISE
from hybrid_qproj.validation import check_sizes


class Head(nn.Module, ABC):
    """A module from embeddings (..., d) to outputs (..., k), and the similarity that compares outputs.

    Args:
        in_features: d.
        out_features: k, 1 <= k < d.

    Raises:
        ValueError: the sizes are no compression.
    """

    similarity: ClassVar[str] = "cosine"
    """How two outputs are compared: a key of `hybrid_qproj.similarity.PAIRWISE`."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        check_sizes(in_features, out_features)
        self.in_features = in_features
        self.out_features = out_features

    @property
    def output_width(self) -> int:
        """Numbers of an output: k, unless the head says otherwise."""
        return self.out_features

    @abstractmethod
    def forward(self, embeddings: Tensor) -> Tensor:
        """Project (..., d) to (..., k)."""

    def config(self) -> dict[str, Any]:
        """Constructor keywords as plain values; with the state dict it is all that a saved head holds."""
        return {"in_features": self.in_features, "out_features": self.out_features}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Build a head from `config`; its weights are those of a new head."""
        return cls(**config)

    def pairwise_similarity(self, a: Tensor, b: Tensor) -> Tensor:
        """Score all pairs of outputs of this head, higher is closer.

        Args:
            a: outputs, (n, k).
            b: outputs, (m, k).

        Returns:
            scores, (n, m): cosine, or the logarithm of the fidelity.
        """
        return PAIRWISE[self.similarity](a, b)

    def save(self, folder: str | Path) -> None:
        """Write the head to a folder: ``config.json`` and ``model.safetensors``.

        Args:
            folder: made if it is missing; each file appears whole or not at all.
        """
        save_module(self, folder)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a head that `save` wrote.

        Args:
            folder: the folder.

        Returns:
            the head, in eval mode.

        Raises:
            CheckpointError: the folder holds no such head, or a damaged one.
        """
        return load_module(cls, folder)

    def extra_repr(self) -> str:
        """One line for the repr of a model."""
        return f"{self.in_features} -> {self.out_features}"
