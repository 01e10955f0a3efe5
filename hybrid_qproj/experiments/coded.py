"""Heads with a codec: documents as codes of so many bytes, queries in float."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor

from hybrid_qproj._util.extras import require
from hybrid_qproj.codec import Codec, CodecError
from hybrid_qproj.codec import registry as codecs
from hybrid_qproj.codec.checks import Similarity
from hybrid_qproj.codec.checks import check_codec as check_scheme
from hybrid_qproj.experiments.build import FLOAT32, numbers_of, sampled
from hybrid_qproj.experiments.config import ConfigError, ExperimentConfig
from hybrid_qproj.experiments.data import ExperimentData
from hybrid_qproj.experiments.records import Cell
from hybrid_qproj.heads.base import Head
from hybrid_qproj.sbert import Encoder
from hybrid_qproj.text.sides import encode_side


class CodedModel:
    """A model that `hybrid_qproj.retrieval.protocols.rank` takes, whose documents are codes.

    Args:
        model: an encoder with a head.
        codec: fitted to outputs of the head.

    Attributes:
        codec: as given.
    """

    def __init__(self, model: Encoder, codec: Codec) -> None:
        self._model, self.codec = model, codec

    def encode_query(self, texts: list[str], **arguments: Any) -> Tensor:
        """Outputs of queries, (n, k)."""
        return self._model.encode_query(texts, **arguments)

    def encode_document(self, texts: list[str], **arguments: Any) -> Tensor:
        """Codes of documents, (n, bytes), uint8."""
        return self.codec.encode(self._model.encode_document(texts, **arguments))

    def similarity(self, queries: Tensor, codes: Tensor) -> Tensor:
        """Scores of queries, (q, k), with codes, (n, bytes): (q, n)."""
        # Tables pay off where they are looked up many times.
        if len(queries) == 1:
            return self.codec.pair_scores(queries, codes[None])
        return self.codec.scores(queries, codes)


def check_bytes(config: ExperimentConfig, name: str, head: Head, size: int) -> None:
    """Refuse a head whose documents cannot take so many bytes, before anything is computed.

    Args:
        config: the experiment.
        name: which head.
        head: as `build_head` makes it.
        size: bytes; nothing is checked where sizes are numbers.

    Raises:
        ConfigError: they cannot; the message names the head, the bytes, and what is possible.
        MissingExtraError: its codec needs FAISS, which is not installed.
    """
    chosen = config.heads[name].codec
    if chosen is None:
        if config.sizes_in == "bytes" and FLOAT32 * head.output_width != size:
            raise ConfigError(
                f"head {name!r} of {head.out_features} qubits gives {head.output_width} numbers, {FLOAT32} bytes each, "
                f"not {size} bytes; leave it out where sizes are bytes"
            )
        return
    try:
        check_scheme(
            chosen.scheme, numbers_of(config, name, head.in_features, size), size, head.similarity, chosen.score
        )
    except CodecError as error:
        raise ConfigError(f"head {name!r} at {size} bytes: {error}") from error
    if codecs.get(chosen.scheme).uses_faiss:
        require("faiss", "index", f"the codec {chosen.scheme!r} of head {name!r}")


def code(
    model: Encoder, cell: Cell, config: ExperimentConfig, data: ExperimentData, batch_size: int
) -> CodedModel | None:
    """A cell's model with its codec, fitted to the texts that the head was fitted to.

    Args:
        model: in eval mode.
        cell: the cell.
        config: the experiment.
        data: its data.
        batch_size: texts encoded at once.

    Returns:
        the model whose documents are codes; None where the head has no codec.

    Raises:
        ConfigError: the codec cannot be fitted to these texts.
    """
    chosen = config.heads[cell.head].codec
    if chosen is None:
        return None
    rows = sampled(config, cell.head, len(data.texts), cell.seed)
    texts = data.texts if rows is None else [data.texts[row] for row in rows.tolist()]
    # Others were refused before anything ran.
    similarity = cast(Similarity, model.head.similarity)
    outputs = encode_side(model, texts, "document", batch_size=batch_size, convert_to_tensor=True)
    try:
        codec = Codec.fit(outputs, cell.k, chosen.scheme, cell.seed, similarity, chosen.score)
    except CodecError as error:
        raise ConfigError(f"head {cell.head!r} at {cell.k} bytes, seed {cell.seed}: {error}") from error
    return CodedModel(model, codec)
