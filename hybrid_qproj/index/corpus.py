"""A corpus compared with a store: what must be encoded, before anything is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import compress
from typing import NamedTuple

from hybrid_qproj.index.errors import StoreError
from hybrid_qproj.index.reading import StoredAngles
from hybrid_qproj.index.texts import text_digest
from hybrid_qproj.retrieval.documents import Document


class Changes(NamedTuple):
    """What a corpus has that its store has not, and the other way round.

    Attributes:
        wanted: for each document of the corpus in order 1 if it must be encoded, else 0.
        gone: ids in the store that the corpus no longer has.
    """

    wanted: bytearray
    gone: list[str]

    def pick(self, corpus: Iterable[Document]) -> Iterator[Document]:
        """The documents that must be encoded, in their order."""
        return compress(corpus, self.wanted)


def compare(corpus: Iterable[Document], store: StoredAngles, update: bool) -> Changes:
    """Read a corpus once, from its first document to its last.

    Args:
        corpus: its documents.
        store: their angles, as far as they were encoded.
        update: whether the store may change: else documents may only come after those that it has.

    Raises:
        StoreError: an id is there twice; or the store would have to change and may not; the message names the
            document.
        DataError: the corpus cannot be read.
    """
    ids, removed, texts = store.ids, store.removed, store.texts()
    places = {name: place for place, name in enumerate(ids) if place not in removed}
    met, new = bytearray(len(ids)), set[str]()
    wanted = bytearray()
    missing, first = len(places), 0
    for number, document in enumerate(corpus):
        place = places.get(document.id)
        if document.id in new or (place is not None and met[place]):
            raise StoreError(f"the corpus has document {document.id!r} twice; give each document an id of its own")
        if place is None:
            if missing and not update:
                while met[first] or first in removed:
                    first += 1
                raise StoreError(
                    f"{store.folder} holds another corpus: document {number} is {ids[first]!r}, here {document.id!r}; "
                    "choose another folder, or make it a store of this corpus with --update"
                )
            new.add(document.id)
            wanted.append(1)
            continue
        met[place], missing = 1, missing - 1
        same = texts[place] == text_digest(document.text)
        if not (same or update):
            problem = (
                f"{store.folder} does not say of which text document {document.id!r} is"
                if texts[place] is None
                else f"document {document.id!r} has another text than when {store.folder} was encoded"
            )
            raise StoreError(f"{problem}; encode again what changed with --update, or choose another folder")
        wanted.append(not same)
    gone = [name for name, place in places.items() if not met[place]]
    if gone and not update:
        raise StoreError(
            f"{store.folder} holds {len(gone):,} documents that the corpus has not, the first {gone[0]!r}; remove them "
            "with --update, or choose another folder"
        )
    return Changes(wanted, gone)
