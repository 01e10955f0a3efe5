"""A store belongs to the model that encoded it: to its content, wherever it lies and whatever it is called."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from hybrid_qproj.codec.codec import CENTRES, Codec
from hybrid_qproj.heads.fingerprint import head_fingerprint
from hybrid_qproj.index.coding import Coding
from hybrid_qproj.index.errors import StoreError
from hybrid_qproj.index.precision import Precision
from hybrid_qproj.index.renewal import abandon, adopt, begun, renew
from hybrid_qproj.index.store import MANIFEST, AngleStore
from hybrid_qproj.sbert import Encoder
from hybrid_qproj.text.embeddings.fingerprint import encoder_fingerprint


def check_angles(encoder: Encoder, codes: bool = False) -> None:
    """Refuse heads whose outputs are no angles.

    Args:
        encoder: the model.
        codes: whether they are stored as codes, which vectors compared by cosine can be too.

    Raises:
        StoreError: the head is compared otherwise than by fidelity.
    """
    if codes and encoder.head.similarity in CENTRES:
        return
    if encoder.head.similarity != "fidelity":
        raise StoreError(
            f"a {type(encoder.head).__name__} is compared by {encoder.head.similarity}; the index is one of angles, "
            "compared by fidelity. Keep other embeddings as codes (--bytes), or in FAISS or a vector database directly"
        )


@contextmanager
def open_for(
    out: Path,
    encoder: Encoder,
    fingerprint: str,
    precision: Precision | Codec | Coding | None,
    model: str,
    update: bool,
) -> Iterator[tuple[AngleStore, bool]]:
    """The store that a model encodes to, locked; made if it is missing.

    Args:
        out: its folder.
        encoder: the model.
        fingerprint: of the model.
        precision: that is wanted, a codec, or what codes are wanted: the store that is there then keeps its codec if
            it is of this kind, else one is fitted. None for what the store has, or float32 for a new one.
        model: what the user calls the model.
        update: whether a store of another model, width or precision is to be replaced.

    Yields:
        the store; and whether it is a new one that takes the place of the older when the block ends without error.

    Raises:
        StoreError: the store is of another model, width or precision and must not be replaced, or it is damaged.
        CodecError: no codec can be fitted.
        LockedError: somebody else is writing there.
        OutputError: the folder cannot be written.
    """
    width = encoder.head.out_features
    # For people: a folder's name, not where it lies.
    name = Path(model).resolve().name if Path(model).is_dir() else model
    if not (out / MANIFEST).exists():
        if isinstance(precision, Coding):
            precision = precision.fit()
        AngleStore.create(out, width, precision or "float32", name, fingerprint)
    store = AngleStore(out)
    with store.writing():
        if precision is None:
            precision = store.codec or store.precision
        elif isinstance(precision, Coding):
            precision = _codec_there(store, width, fingerprint, precision) or precision
        if not isinstance(precision, Coding) and store.is_of(width, precision, fingerprint):
            abandon(store)
            yield store, False
            return
        if store.rows and not update:
            raise StoreError(
                f"{out} holds {_form(store.width, store.codec or store.precision)} of {_whose(store, fingerprint)}; "
                f"choose another folder to encode {_form(width, precision)} of {model!r}, or encode all again with "
                "--update"
            )
        if isinstance(precision, Coding):
            precision = precision.fit()
        new = renew(store, width, precision, name, fingerprint)
        yield new, True
        adopt(store)


def _codec_there(store: AngleStore, width: int, fingerprint: str, wanted: Coding) -> Codec | None:
    """The codec of the store, or of the one that an interrupted run began, if it is what is wanted."""
    for there in (store, begun(store)):
        codec = None if there is None else there.codec
        if there is not None and codec is not None and there.is_of(width, codec, fingerprint) and wanted.fits(codec):
            return codec
    return None


def _form(width: int, precision: Precision | Codec | Coding) -> str:
    if isinstance(precision, Codec):
        return f"{precision.scheme.name!r} codes of {precision.bytes} bytes"
    if isinstance(precision, Coding):
        return f"{precision.scheme!r} codes of {precision.bytes} bytes"
    return f"{width} {precision} angles"


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
    codec = store.codec
    if codec is not None and (
        codec.similarity != encoder.head.similarity or codec.head not in (None, head_fingerprint(encoder.head))
    ):
        raise StoreError(f"the codec of {store.folder} was fitted to outputs of another head than that of {model!r}")
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
