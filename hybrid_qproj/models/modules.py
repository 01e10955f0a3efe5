"""Modules of a sentence-transformers model that this package adds: a head, and the cut before it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Self

from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules.module import Module
from torch import nn

from hybrid_qproj.circuits import Ansatz
from hybrid_qproj.heads.base import Head
from hybrid_qproj.heads.checkpoint import CheckpointError, save_module
from hybrid_qproj.heads.registry import load_head
from hybrid_qproj.models.placement import compare_by_head
from hybrid_qproj.similarity.fidelity import LOGARITHMIC

UNCOMPRESSED = "uncompressed_embedding"
"""Feature under which a model with a head passes on the embedding before the head, (batch, d)."""


class ProjectionHead(Module):
    """A sentence-transformers module around a head.

    Put it last: ``SentenceTransformer(modules=[transformer, pooling, ProjectionHead(head)])`` trains, encodes and
    saves as any other model. With a head that is compared by fidelity the model becomes an `Encoder`, whose
    ``similarity`` is the head's.

    Args:
        head: any projection head.
    """

    # Saved models name it so.
    __module__ = "hybrid_qproj.sbert"

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head
        self._placed = False

    def on_model_ready(self, model: nn.Module) -> None:
        """Make the model compare by the head's similarity; called by sentence-transformers when a model is complete.

        Raises:
            HeadPlaceError: the model would compare the head's outputs otherwise.
        """
        if self.head.similarity in LOGARITHMIC and isinstance(model, SentenceTransformer):
            compare_by_head(model, self, self.head.similarity)
        self._placed = True

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Project ``features["sentence_embedding"]``, (batch, d) to (batch, k).

        What it was stays as ``features[UNCOMPRESSED]``: objectives compare the two.
        """
        if not self.__dict__.get("_placed", True) and self.head.similarity in LOGARITHMIC and len(features) > 1:
            warnings.warn(
                "this ProjectionHead was added to a model that was complete, which still compares by cosine and not by "
                f"{self.head.similarity}: build the model with hybrid_qproj.sbert.with_head",
                stacklevel=2,
            )
            self._placed = True
        features[UNCOMPRESSED] = features["sentence_embedding"]
        features["sentence_embedding"] = self.head(features["sentence_embedding"])
        return features

    def get_embedding_dimension(self) -> int:
        """Width of the output."""
        return self.head.output_width

    def __repr__(self) -> str:
        return f"ProjectionHead({self.head!r})"

    def save(self, output_path: str, *args: Any, **kwargs: Any) -> None:
        """Write the head to a folder; always as safetensors."""
        save_module(self.head, output_path)

    @classmethod
    def load(
        cls,
        model_name_or_path: str,
        subfolder: str = "",
        token: bool | str | None = None,
        cache_folder: str | None = None,
        revision: str | None = None,
        local_files_only: bool = False,
        init_defaults: dict[str, Any] | None = None,
        ansaetze: Sequence[str | Ansatz] = (),
        **kwargs: Any,
    ) -> Self:
        """Read the head from a model's folder or hub repository; called by sentence-transformers.

        An ansatz that it names must be registered, or be among ``ansaetze``; see `hybrid_qproj.load`.

        Raises:
            CheckpointError: there is no head, or a damaged one.
        """
        folder = cls.load_dir_path(model_name_or_path, subfolder, token, cache_folder, revision, local_files_only)
        if folder is None:
            raise CheckpointError(f"{model_name_or_path!r} has no folder {subfolder!r} with a saved head")
        return cls(load_head(folder, ansaetze))


class TruncateDim(Module):
    """Keeps the first numbers of an embedding: ``truncate_dim`` of a model, before the head that is put on it.

    Args:
        dim: how many.
    """

    __module__ = "hybrid_qproj.sbert"

    config_keys = ["dim"]  # noqa: RUF012 - as the parent declares it

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Cut ``features["sentence_embedding"]``, (batch, d), to (batch, dim)."""
        features["sentence_embedding"] = features["sentence_embedding"][..., : self.dim]
        return features

    def get_embedding_dimension(self) -> int:
        """Width of the output."""
        return self.dim

    def save(self, output_path: str, *args: Any, **kwargs: Any) -> None:
        """Write the config; there are no weights."""
        self.save_config(output_path)
