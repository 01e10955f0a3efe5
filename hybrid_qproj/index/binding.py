"""A store belongs to the model that encoded it: to its content, wherever it lies and whatever it is called."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from rich.console import Console

from hybrid_qproj.codec import Codec
from hybrid_qproj.index.coding import Coding, choose_codec
from hybrid_qproj.index.errors import StoreError
from hybrid_qproj.index.manifest import describe
from hybrid_qproj.index.precision import Precision
from hybrid_qproj.index.renewal import abandon, adopt, pending, renew
from hybrid_qproj.index.store import MANIFEST, AngleStore
from hybrid_qproj.sbert import Encoder
from hybrid_qproj.text.embeddings.fingerprint import encoder_fingerprint


def check_angles(encoder: Encoder) -> None:
    """Refuse heads whose outputs are no angles.

    Raises:
        StoreError: the head is compared otherwise than by fidelity.
    """
    if encoder.head.similarity != "fidelity":
        raise StoreError(
            f"a {type(encoder.head).__name__} is compared by {encoder.head.similarity}; the index is one of angles, "
            "compared by fidelity. Keep other embeddings in FAISS or a vector database directly"
        )


@contextmanager
def open_for(
    out: Path,
    encoder: Encoder,
    fingerprint: str,
    precision: Precision | None,
    model: str,
    update: bool,
    coding: Coding | Codec | None = None,
    fit: Callable[[Coding], Codec] | None = None,
) -> Iterator[tuple[AngleStore, bool]]:
    """The store that a model encodes to, locked; made if it is missing.

    Args:
        out: its folder.
        encoder: the model.
        fingerprint: of the model.
        precision: that is wanted; None for that of the store, or float32 for a new one.
        model: what the user calls the model.
        update: whether a store of another model, width, precision or codec is to be replaced.
        coding: codec, or bytes and scheme of one, that makes codes of the angles; None for a precision, or where none
            is given either, for what the store has.
        fit: makes the codec, where one is wanted that is not there.

    Yields:
        the store; and whether it is a new one that takes the place of the older when the block ends without error.

    Raises:
        StoreError: the store is of another model, width, precision or codec and must not be replaced, it is damaged, or
            the codec is of another head.
        LockedError: somebody else is writing there.
        OutputError: the folder cannot be written.
    """
    width = encoder.head.out_features
    # For people: a folder's name, not where it lies.
    name = Path(model).resolve().name if Path(model).is_dir() else model
    if not (out / MANIFEST).exists():
        AngleStore.create(out, width, precision or "float32", name, fingerprint, choose_codec(coding, None, fit))
    store = AngleStore(out)
    with store.writing():
        if precision is None and coding is None:
            precision, coding = _as_there(store)
        if (store.width, store.fingerprint) == (width, fingerprint) and _does(store, precision, coding):
            abandon(store)
            yield store, False
            return
        if store.rows and not update:
            there = _what(store.width, store.precision, store.codec)
            raise StoreError(
                f"{out} holds {there} of {_whose(store, fingerprint)}; choose another folder to encode "
                f"{_what(width, precision, coding)} of {model!r}, or encode all again with --update"
            )
        codec = choose_codec(coding, pending(store, fingerprint), fit)
        made = None if codec is None else codec.fingerprint
        wanted = describe(width, precision or "float32", name, fingerprint, made)
        new = renew(store, wanted, codec)
        yield new, True
        adopt(store)


def _as_there(store: AngleStore) -> tuple[Precision | None, Coding | None]:
    """Precision or coding of a store: what stays where nothing else is asked for."""
    if store.codec is not None:
        return None, Coding.of(store.codec)
    return cast(Precision, store.precision), None


def _does(store: AngleStore, precision: Precision | None, coding: Coding | Codec | None) -> bool:
    """Whether a store's documents are kept as is wanted."""
    if coding is None:
        return store.precision == precision
    if isinstance(coding, Codec):
        return store.codec is not None and store.codec.fingerprint == coding.fingerprint
    return store.codec is not None and Coding.of(store.codec) == coding


def _what(width: int, precision: str | None, coding: Coding | Codec | None) -> str:
    if coding is None:
        return f"{width} {precision} angles"
    bytes_, scheme = Coding.of(coding) if isinstance(coding, Codec) else coding
    return f"codes of {bytes_} bytes ({scheme})"


def _whose(store: AngleStore, fingerprint: str) -> str:
    if store.fingerprint is None:
        return f"a model that it does not name for certain (as {store.model!r}: it was written by an earlier version)"
    same = "this model" if store.fingerprint == fingerprint else "another model"
    return f"{same} (as {store.model!r}, fingerprint {store.fingerprint[:8]}; now {fingerprint[:8]})"


def check_model(store: AngleStore, encoder: Encoder, model: str) -> None:
    """Refuse to search with another model than the one that encoded a store; say so where that is not known.

    Args:
        store: the store.
        encoder: the model that is to encode the queries.
        model: what the user calls it.

    Raises:
        StoreError: it is another.
    """
    if encoder.head.out_features != store.width:
        raise StoreError(f"{model!r} gives {encoder.head.out_features} angles, {store.folder} holds {store.width}")
    if store.fingerprint is None:
        Console(stderr=True).print(
            f"note: {store.folder} does not say for certain which model encoded it; encode --update binds it to one",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        return
    fingerprint = encoder_fingerprint(encoder)
    if fingerprint != store.fingerprint:
        raise StoreError(
            f"{store.folder} was encoded by another model than {model!r}: by {_whose(store, fingerprint)}; search with "
            "that one, or encode the corpus again with --update"
        )
