"""A store that is encoded again as a whole, beside the old one, and takes its place in one step.

Both lie in one folder. Whoever reads goes on reading the old one, and an interrupted run goes on where it was.
"""

from __future__ import annotations

from contextlib import suppress

from hybrid_qproj._util.files import sync_folder, writing
from hybrid_qproj.codec import Codec
from hybrid_qproj.index.errors import StoreError
from hybrid_qproj.index.form import Codes, check_codec, form_of, write_codec
from hybrid_qproj.index.manifest import MANIFEST, NEXT, Manifest, read_manifest, write_manifest
from hybrid_qproj.index.store import AngleStore


def renew(store: AngleStore, wanted: Manifest, codec: Codec | None = None) -> AngleStore:
    """The store that is to take another's place: empty, or as far as an interrupted run came.

    Args:
        store: the other, while `AngleStore.writing`.
        wanted: manifest of the new one, empty; see `hybrid_qproj.index.manifest.describe`.
        codec: that it names, if any.

    Raises:
        StoreError: the codec is one of other outputs.
        OutputError: it cannot be written.
    """
    check_codec(codec, wanted.width)
    path = store.folder / NEXT
    there = None
    with suppress(StoreError):
        there = read_manifest(path)[0]
    # Even where it is there: it may be damaged, and nothing could go on.
    write_codec(store.folder, wanted, codec)
    if there is None or there.kind != wanted.kind:
        write_manifest(path, wanted)
    return store.beside(NEXT)


def pending(store: AngleStore, fingerprint: str) -> Codec | None:
    """The codec of a store that an interrupted run was to put in another's place, if it was of this model.

    Args:
        store: the other, while `AngleStore.writing`.
        fingerprint: of the model.
    """
    with suppress(StoreError):
        manifest = read_manifest(store.folder / NEXT)[0]
        form = form_of(store.folder, manifest)
        if isinstance(form, Codes) and manifest.fingerprint == fingerprint:
            return form.codec
    return None


def adopt(store: AngleStore) -> None:
    """Let the store that `renew` gave take the place of the old one, whose files are removed.

    Args:
        store: the old one, while `AngleStore.writing`; it is the new one then.

    Raises:
        OutputError: it cannot be written; the old one stays.
    """
    with writing(store.folder / MANIFEST):
        (store.folder / NEXT).replace(store.folder / MANIFEST)
        sync_folder(store.folder)
    store.reopen()


def abandon(store: AngleStore) -> None:
    """Remove what an interrupted run left of a store that was to take another's place.

    Args:
        store: the other, while `AngleStore.writing`.

    Raises:
        OutputError: it cannot be removed.
    """
    path = store.folder / NEXT
    if path.exists():
        with writing(path):
            path.unlink()
        store.reopen()
