"""The codec of a store that is to be encoded: fitted to what the head makes of some of its documents."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hybrid_qproj.codec import registry
from hybrid_qproj.codec.codec import Codec, check_score
from hybrid_qproj.codec.errors import CodecError
from hybrid_qproj.codec.scheme import LEAST_ROWS
from hybrid_qproj.heads.fingerprint import head_fingerprint
from hybrid_qproj.retrieval.documents import Document
from hybrid_qproj.sbert import Encoder
from hybrid_qproj.text.sides import encode_side

SAMPLE = 1 << 16
"""Documents that a codec is fitted to at most, unless told otherwise: 256 for each centre of product quantisation."""


@dataclass(frozen=True)
class Coding:
    """Codes that are wanted of a corpus.

    Args:
        encoder: the model.
        corpus: its documents.
        bytes: of a code.
        scheme: a name of `hybrid_qproj.codec.registry.names`.
        sample: documents that the codec is fitted to at most.
        batch_size: texts the encoder takes at once.
        seed: of the sample, and of what the scheme draws.

    Raises:
        CodecError: the scheme is unknown, cannot give these bytes, or the head's outputs have no codec.
    """

    encoder: Encoder
    corpus: Iterable[Document]
    bytes: int
    scheme: str = registry.DEFAULT
    sample: int = SAMPLE
    batch_size: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        check_score(self.encoder.head.similarity, None)
        registry.get(self.scheme).check(self.encoder.head.out_features, self.bytes)
        if type(self.sample) is not int or self.sample < LEAST_ROWS:
            raise CodecError(f"sample={self.sample!r:.60}: a codec is fitted to {LEAST_ROWS} documents at least")

    def fits(self, codec: Codec) -> bool:
        """Whether a codec that is there already is of this kind."""
        return (codec.scheme.name, codec.bytes) == (self.scheme, self.bytes)

    def fit(self) -> Codec:
        """Read the corpus once, encode the sample, and fit; the same for the same corpus in any order.

        Raises:
            CodecError: too few documents for the scheme.
            DataError: the corpus cannot be read.
            MissingExtraError: the scheme is fitted by FAISS, which is not installed.
        """
        chosen = sample(self.corpus, self.sample, self.seed)
        if len(chosen) < LEAST_ROWS:
            raise CodecError(f"a codec is fitted to {LEAST_ROWS} documents at least; the corpus has {len(chosen)}")
        outputs = encode_side(
            self.encoder,
            [document.text for document in chosen],
            "document",
            batch_size=self.batch_size,
            convert_to_tensor=True,
        )
        head = self.encoder.head
        return Codec.fit(
            outputs.float().cpu(),
            self.bytes,
            self.scheme,
            self.seed,
            head.similarity,  # type: ignore[arg-type]  # checked above
            head=head_fingerprint(head),
        )


def sample(corpus: Iterable[Document], count: int, seed: int) -> list[Document]:
    """Documents drawn by a hash of their ids: the same whatever their order, with as many in memory as are drawn.

    Args:
        corpus: read once.
        count: of documents, at most.
        seed: of the draw.
    """

    def rank(document: Document) -> bytes:
        return hashlib.blake2b(f"{seed} {document.id}".encode("utf-8", "replace"), digest_size=16).digest()

    return heapq.nsmallest(count, corpus, key=rank)


def saved_codec(folder: Path, encoder: Encoder) -> Codec:
    """A codec that was saved, for outputs of a model.

    Args:
        folder: where `Codec.save` wrote it.
        encoder: the model.

    Raises:
        CodecError: there is none, it is damaged, or it was fitted to outputs of another head.
    """
    codec, head = Codec.load(folder), head_fingerprint(encoder.head)
    if codec.head != head:
        whose = "a head that it does not name" if codec.head is None else f"another head ({codec.head[:8]})"
        raise CodecError(
            f"the codec in {folder} was fitted to outputs of {whose}; this model's is {head[:8]}: fit one to its "
            "outputs with head=head_fingerprint(head), or with --bytes"
        )
    return codec
