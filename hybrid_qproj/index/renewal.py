"""A store that is encoded again as a whole, beside the old one, and takes its place in one step.

Both lie in one folder. Whoever reads goes on reading the old one, and an interrupted run goes on where it was.
"""

from __future__ import annotations

from contextlib import suppress

from hybrid_qproj._util.files import sync_folder, writing
from hybrid_qproj.codec.codec import Codec
from hybrid_qproj.index.errors import StoreError
from hybrid_qproj.index.manifest import MANIFEST, NEXT, codec_file, describe, read_manifest, write_manifest
from hybrid_qproj.index.precision import Precision
from hybrid_qproj.index.store import AngleStore


def begun(store: AngleStore) -> AngleStore | None:
    """As far as an interrupted run came with a store that is to take another's place, if it can be gone on with.

    Args:
        store: the other, while `AngleStore.writing`.
    """
    with suppress(StoreError):
        return store.beside(NEXT)
    return None


def renew(
    store: AngleStore, width: int, precision: Precision | Codec, model: str, fingerprint: str | None
) -> AngleStore:
    """The store that is to take another's place: empty, or as far as an interrupted run came.

    Args:
        store: the other, while `AngleStore.writing`.
        width: as for `AngleStore.create`.
        precision: likewise.
        model: likewise.
        fingerprint: likewise.

    Raises:
        StoreError: what is given is not sound.
        OutputError: it cannot be written.
    """
    wanted = describe(width, precision, model, fingerprint)
    path = store.folder / NEXT
    there = None
    with suppress(StoreError):
        there = read_manifest(path)[0]
    if there is None or not there.is_of(width, precision, fingerprint):
        if isinstance(precision, Codec):
            precision.save_file(store.folder / codec_file(precision.fingerprint))
        write_manifest(path, wanted)
    return store.beside(NEXT)


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
