"""A projection head inside a sentence-transformers model."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from hybrid_qproj._util.extras import require
from hybrid_qproj.circuits import Ansatz, get
from hybrid_qproj.devices import DeviceSpec, make_device
from hybrid_qproj.errors import ArgumentError, HybridQprojError
from hybrid_qproj.fitting import FitSettings, Moments
from hybrid_qproj.fitting.weights import check_corrections
from hybrid_qproj.heads.base import Head
from hybrid_qproj.heads.quantum import QuantumProjection
from hybrid_qproj.text.sides import encode_side

# Before the imports below, so that a missing package is reported with its pip command.
require("sentence_transformers", "text", "an encoder with a head")

from sentence_transformers import SentenceTransformer  # noqa: E402

from hybrid_qproj.models.card import derived_card  # noqa: E402
from hybrid_qproj.models.encoder import Encoder, EncodingError  # noqa: E402
from hybrid_qproj.models.modules import UNCOMPRESSED, ProjectionHead, TruncateDim  # noqa: E402
from hybrid_qproj.models.placement import HeadPlaceError  # noqa: E402
from hybrid_qproj.text.embeddings.table import EmbeddingTable  # noqa: E402
from hybrid_qproj.text.positions import cut_at_positions  # noqa: E402

__all__ = [
    "UNCOMPRESSED",
    "Encoder",
    "EncodingError",
    "HeadPlaceError",
    "ProjectionHead",
    "TruncateDim",
    "embedding_width",
    "with_fitted_head",
    "with_head",
]

TEXTS_AT_ONCE = 4096
"""Texts embedded at once for a fit; only their moments are kept."""


def embedding_width(encoder: SentenceTransformer) -> int:
    """Width of what ``encode`` returns, found by encoding a word: not every model knows it.

    Args:
        encoder: any sentence-transformers model for texts.

    Returns:
        d, the same for queries and documents.

    Raises:
        ValueError: queries and documents differ in width, or the model takes no texts.
    """
    if isinstance(encoder[0], EmbeddingTable):
        return int(encoder.get_embedding_dimension() or 0)
    modes = [(part, part.training) for part in encoder.modules()]
    try:
        shapes = [
            encode_side(encoder, ["a"], side, convert_to_tensor=True).shape for side in (None, "query", "document")
        ]
    except HybridQprojError:
        raise
    except Exception as error:
        raise EncodingError(
            f"the encoder cannot embed a text ({type(error).__name__}: {error}); a head takes embeddings of texts"
        ) from error
    finally:
        for part, training in modes:
            part.training = training
    if len({shape[-1] for shape in shapes}) > 1:
        raise EncodingError(
            f"the encoder gives queries {shapes[1][-1]} numbers and documents {shapes[2][-1]}; a head takes one width: "
            "add a Dense layer to one side"
        )
    return int(shapes[0][-1])


def with_head(encoder: str | Path | SentenceTransformer, head: Head, **kwargs: Any) -> Encoder:
    """Put a head on an encoder.

    Args:
        encoder: a sentence-transformers model, or the name or folder of one. Its prompts stay; its ``truncate_dim``
            goes before the head.
        head: its ``in_features`` must be the width of what the encoder's ``encode`` returns.
        **kwargs: passed to SentenceTransformer when the encoder is a name.

    Returns:
        the encoder with the head as last module; modules are shared with the given encoder, not copied.

    Raises:
        ValueError: the widths differ, or the encoder takes no texts.
    """
    if not isinstance(encoder, SentenceTransformer):
        encoder = SentenceTransformer(os.fspath(encoder), **kwargs)
    cut_at_positions(encoder)
    width = embedding_width(encoder)
    if width != head.in_features:
        raise ArgumentError(f"the encoder gives {width} numbers, the head takes {head.in_features}")
    truncation = [TruncateDim(width)] if encoder.truncate_dim is not None else []
    model = Encoder(
        modules=[*encoder, *truncation, ProjectionHead(head)],
        device=str(encoder.device),
        prompts=dict(encoder.prompts),
        default_prompt_name=encoder.default_prompt_name,
        model_card_data=derived_card(encoder.model_card_data, encoder._model_card_text),
        trust_remote_code=encoder.trust_remote_code,
        backend=encoder.backend,
    )
    # By the names that modules have now: their numbers.
    kept = encoder.module_kwargs or {}
    names = [name for name, _ in encoder.named_children()]
    model.module_kwargs = OrderedDict((str(number), kept.get(name, [])) for number, name in enumerate(names))
    return model


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
        texts: any number of documents, without labels; read once, and only the moments of their embeddings are kept.
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
    cut_at_positions(encoder)
    moments = Moments(embedding_width(encoder))
    # Not after hours of encoding.
    (settings or FitSettings()).check(moments.width, out_features)
    check_corrections(device, corrections, allow_paid)
    if corrections:
        make_device(DeviceSpec.parse(device), get(circuit).wires, allow_paid)
    stream = iter(texts)
    while part := list(islice(stream, TEXTS_AT_ONCE)):
        embeddings = encode_side(encoder, part, "document", batch_size=batch_size, convert_to_tensor=True)
        moments.add(embeddings.float())
        progress(moments.rows)
    head = QuantumProjection.fit(
        moments, out_features, circuit, device, settings, corrections=corrections, allow_paid=allow_paid
    )
    model = with_head(encoder, head)
    model.say_made_by(
        f"fitted to the embeddings of {moments.rows:,} unlabelled texts, without training"
        + (f"; {corrections} corrections on {head.device.name}" if corrections else "")
    )
    return model
