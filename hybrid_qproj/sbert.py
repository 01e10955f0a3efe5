"""A projection head inside a sentence-transformers model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from hybrid_qproj.checkpoint import CheckpointError, save_module
from hybrid_qproj.circuits import Ansatz, get
from hybrid_qproj.devices import DeviceSpec, make_device
from hybrid_qproj.extras import require
from hybrid_qproj.fitting import FitSettings, Moments
from hybrid_qproj.fitting.weights import check_corrections
from hybrid_qproj.head import Head
from hybrid_qproj.heads import load_head
from hybrid_qproj.projection import QuantumProjection
from hybrid_qproj.similarity import PAIRED

# Before the imports below, so that a missing package is reported with its pip command.
require("sentence_transformers", "text", "an encoder with a head")

from sentence_transformers import SentenceTransformer  # noqa: E402
from sentence_transformers.base.modules.module import Module  # noqa: E402

UNCOMPRESSED = "uncompressed_embedding"
"""Feature under which a model with a head passes on the embedding before the head, (batch, d)."""
CHUNK = 4096
"""Texts embedded at once for a fit; only their moments are kept."""


class ProjectionHead(Module):
    """A sentence-transformers module around a head.

    Put it last: ``SentenceTransformer(modules=[transformer, pooling, ProjectionHead(head)])`` trains, encodes and
    saves as any other model.

    Args:
        head: any projection head.
    """

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Project ``features["sentence_embedding"]``, (batch, d) to (batch, k).

        What it was stays as ``features[UNCOMPRESSED]``: objectives compare the two.
        """
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
        **kwargs: Any,
    ) -> Self:
        """Read the head from a model's folder or hub repository; called by sentence-transformers.

        Raises:
            CheckpointError: there is no head, or a damaged one.
        """
        folder = cls.load_dir_path(model_name_or_path, subfolder, token, cache_folder, revision, local_files_only)
        if folder is None:
            raise CheckpointError(f"{model_name_or_path!r} has no folder {subfolder!r} with a saved head")
        return cls(load_head(folder))


class Encoder(SentenceTransformer):
    """A SentenceTransformer whose last module is a head, and whose similarity is that head's.

    Plain SentenceTransformer would compare angles by their cosine; nothing but the similarity differs.

    Args:
        *args: as for SentenceTransformer.
        **kwargs: as for SentenceTransformer.

    Raises:
        ValueError: the last module is no `ProjectionHead`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        last = list(self)[-1] if len(self) else None
        if not isinstance(last, ProjectionHead):
            raise ValueError(
                f"the last module is a {type(last).__name__}; expected a ProjectionHead. Build one with "
                "with_head(model, head), or load a saved one with hybrid_qproj.load"
            )

    @property
    def head(self) -> Head:
        """The projection head."""
        last = list(self)[-1]
        assert isinstance(last, ProjectionHead)
        return last.head

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Tensor:
        """Score all pairs of this model's embeddings.

        Args:
            embeddings1: (n, k), torch or NumPy, or a list of vectors.
            embeddings2: (m, k), likewise.

        Returns:
            (n, m): cosine, or for the quantum head the logarithm of the fidelity.
        """
        return self.head.pairwise_similarity(_matrix(embeddings1), _matrix(embeddings2))

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Tensor:
        """Score embeddings1[i] with embeddings2[i].

        Args:
            embeddings1: (n, k), torch or NumPy, or a list of vectors.
            embeddings2: (n, k), likewise.

        Returns:
            (n,): cosine, or for the quantum head the logarithm of the fidelity.
        """
        return PAIRED[self.head.similarity](_matrix(embeddings1), _matrix(embeddings2))


def with_head(encoder: str | Path | SentenceTransformer, head: Head, **kwargs: Any) -> Encoder:
    """Put a head on an encoder.

    Args:
        encoder: a sentence-transformers model, or the name or folder of one.
        head: its ``in_features`` must be the encoder's embedding dimension.
        **kwargs: passed to SentenceTransformer when the encoder is a name.

    Returns:
        the encoder with the head as last module; modules are shared with the given encoder, not copied.

    Raises:
        ValueError: the widths differ.
    """
    if not isinstance(encoder, SentenceTransformer):
        encoder = SentenceTransformer(os.fspath(encoder), **kwargs)
    width = encoder.get_embedding_dimension()
    if width != head.in_features:
        raise ValueError(f"the encoder gives {width} numbers, the head takes {head.in_features}")
    return Encoder(
        modules=[*encoder, ProjectionHead(head)],
        device=str(encoder.device),
        prompts=encoder.prompts,
        default_prompt_name=encoder.default_prompt_name,
    )


def with_fitted_head(
    encoder: str | Path | SentenceTransformer,
    texts: Iterable[str],
    out_features: int,
    circuit: str | Ansatz = "rotor",
    device: str | DeviceSpec = "default.qubit",
    settings: FitSettings | None = None,
    corrections: int = 0,
    batch_size: int = 64,
    progress: Callable[[int], None] = lambda texts: None,
    allow_paid: bool = False,
) -> Encoder:
    """Put a head on an encoder that is fitted to its embeddings of texts: `QuantumProjection.fit` on a stream.

    Args:
        encoder: a sentence-transformers model, or the name or folder of one.
        texts: any number of them, without labels; read once, and only the moments of their embeddings are kept.
        out_features: k.
        circuit: ansatz of the blocks.
        device: device string.
        settings: how pairs are chosen; see `FitSettings`.
        corrections: rounds in which the device corrects the weights; see `QuantumProjection.fit`.
        batch_size: texts the encoder takes at once.
        progress: called with the number of texts so far.
        allow_paid: whether the device may be one that can cost money.

    Returns:
        the encoder with the head as last module; modules are shared with the given encoder, not copied.

    Raises:
        ValueError: sizes or settings that are not sound, which is seen before the first text is read, or fewer than
            two texts.
        DeviceUnavailableError: nobody knows the device, it cannot do what is asked, or there are to be corrections and
            it cannot be built; seen as early.
        PaidDeviceError: there are to be corrections, and the device can cost money; likewise.
    """
    if not isinstance(encoder, SentenceTransformer):
        encoder = SentenceTransformer(os.fspath(encoder))
    moments = Moments(int(encoder.get_embedding_dimension() or 0))
    # Not after hours of encoding.
    (settings or FitSettings()).check(moments.width, out_features)
    check_corrections(device, corrections, allow_paid)
    if corrections:
        make_device(DeviceSpec.parse(device), get(circuit).wires, allow_paid)
    stream = iter(texts)
    while part := list(islice(stream, CHUNK)):
        embeddings = encoder.encode(part, batch_size=batch_size, convert_to_tensor=True, show_progress_bar=False)
        moments.add(embeddings.float())
        progress(moments.rows)
    head = QuantumProjection.fit(
        moments, out_features, circuit, device, settings, corrections=corrections, allow_paid=allow_paid
    )
    return with_head(encoder, head)


def _matrix(embeddings: Any) -> Tensor:
    if isinstance(embeddings, Tensor):
        matrix = embeddings
    elif len(embeddings) and isinstance(embeddings[0], Tensor):
        matrix = torch.stack(list(embeddings))
    else:
        matrix = torch.from_numpy(np.asarray(embeddings))
    return matrix if matrix.dim() > 1 else matrix.unsqueeze(0)
