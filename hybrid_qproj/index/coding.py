"""Which codec a store's documents are coded by: one that was saved, that of the store, or one fitted to a sample."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import NamedTuple

from hybrid_qproj.codec import Codec
from hybrid_qproj.codec import registry as codecs
from hybrid_qproj.index.errors import StoreError
from hybrid_qproj.retrieval.documents import Document

SAMPLE = 10_000
"""Documents that a codec is fitted to, unless told otherwise."""


class Coding(NamedTuple):
    """What is wanted of codes.

    Attributes:
        bytes: of a document.
        scheme: a name of `hybrid_qproj.codec.registry.names`.
    """

    bytes: int
    scheme: str = codecs.DEFAULT

    @classmethod
    def of(cls, codec: Codec) -> Coding:
        """What a codec gives."""
        return cls(codec.bytes, codec.scheme.name)


def choose_codec(
    wanted: Coding | Codec | None, there: Codec | None, fit: Callable[[Coding], Codec] | None
) -> Codec | None:
    """The codec of a store that is begun.

    Args:
        wanted: a codec; what it should do; or None for angles.
        there: the codec that an interrupted run began the same store with, which goes on if it does what is wanted.
        fit: makes one.
    """
    if wanted is None or isinstance(wanted, Codec):
        return wanted
    if there is not None and Coding.of(there) == wanted:
        return there
    assert fit is not None
    return fit(wanted)


def check_head(codec: Codec | None, fingerprint: str) -> None:
    """Refuse a codec that was fitted to outputs of another head.

    Args:
        codec: perhaps one that does not say of which.
        fingerprint: of the head.

    Raises:
        StoreError: it was.
    """
    if codec is not None and codec.head not in (None, fingerprint):
        raise StoreError(
            f"the codec was fitted to outputs of another head ({codec.head[:8]}; this one is {fingerprint[:8]}): its "
            "codes would mean nothing; fit one to this head with --bytes"
        )


def sample(corpus: Iterable[Document], number: int, seed: int = 0) -> list[Document]:
    """Some documents of a corpus, each as likely as any other; read in one pass (Vitter 1985, algorithm R).

    Args:
        corpus: its documents.
        number: how many; all where there are fewer.
        seed: of the choice.

    Returns:
        the documents; the same for the same corpus.

    Raises:
        DataError: the corpus cannot be read.
    """
    chosen: list[Document] = []
    # Choices are to be the same everywhere, not unpredictable.
    generator = random.Random(seed)  # noqa: S311
    for count, document in enumerate(corpus):
        if count < number:
            chosen.append(document)
        elif (place := generator.randrange(count + 1)) < number:
            chosen[place] = document
    return chosen
