"""The command encode: a corpus to a store of angles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress, islice
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from torch import Tensor

from hybrid_qproj._util.outputs import check_folder
from hybrid_qproj.cli.run.engines import OptionError, check_engine
from hybrid_qproj.cli.tables import make_console
from hybrid_qproj.codec import registry
from hybrid_qproj.codec.codec import Codec
from hybrid_qproj.estimate import check_runs
from hybrid_qproj.index import cluster
from hybrid_qproj.index.binding import check_angles, open_for
from hybrid_qproj.index.coding import SAMPLE, Coding, saved_codec
from hybrid_qproj.index.corpus import Changes, compare
from hybrid_qproj.index.precision import PRECISIONS, Precision
from hybrid_qproj.index.store import MANIFEST, AngleStore, StoreError
from hybrid_qproj.index.texts import text_digests
from hybrid_qproj.loading import load
from hybrid_qproj.retrieval.documents import Documents
from hybrid_qproj.retrieval.sources import open_source
from hybrid_qproj.sbert import Encoder
from hybrid_qproj.text.embeddings.fingerprint import encoder_fingerprint
from hybrid_qproj.text.sides import encode_side

SHARD = 1 << 16
"""Documents of a shard: what an interruption loses at most."""
ENGINES = ("local", "ray")


def run_encode(
    model: str,
    documents: str,
    out: Path,
    precision: Precision | None = None,
    batch_size: int = 64,
    shard: int = SHARD,
    engine: str = "local",
    workers: int | None = None,
    update: bool = False,
    quantum_device: str | None = None,
    allow_paid: bool = False,
    ansaetze: Sequence[str] = (),
    size: int | None = None,
    scheme: str | None = None,
    sample: int | None = None,
    codec: Path | None = None,
) -> AngleStore:
    """Encode a corpus to a store of angles, or go on where an interrupted run stopped.

    The corpus is read once before anything is encoded. Documents that came behind those of the store are added. What
    changed otherwise (a text, the model, documents that are no longer there) is refused, or with ``update`` encoded
    again. The store is locked from beginning to end.

    Args:
        model: folder or hub id of an encoder with a quantum head.
        documents: a .tsv or .jsonl file (perhaps with .gz), a BEIR folder, "lee", "lee-background", or an id of
            ir_datasets; see `open_source`.
        out: folder of the store.
        precision: of the angles on disk; None for that of the store, or float32 for a new one.
        batch_size: texts the encoder takes at once.
        shard: documents of a shard.
        engine: ``"local"``, or ``"ray"`` for the machines of a Ray cluster.
        workers: processes of the cluster that encode; None for one a GPU, or one a core where there is no GPU.
        update: whether a store of another model, other texts or another corpus is brought up to date.
        quantum_device: device string that replaces the saved one.
        allow_paid: whether circuits may run on a device that can cost money.
        ansaetze: your own ones that the head may name; see `hybrid_qproj.load`.
        size: bytes of a document, which is kept as a code: a codec is fitted first, to a sample of the corpus. A store
            that is there and has such codes keeps its codec.
        scheme: of that codec; None for the default one.
        sample: documents that it is fitted to at most; None for 65,536.
        codec: folder of a saved codec that is used as it is.

    Returns:
        the store.

    Raises:
        PaidDeviceError: the device can cost money and is not allowed; seen before any work.
        DeviceUnavailableError: ``quantum_device`` is not usable; likewise.
        StoreError: the head is not compared by fidelity, or ``out`` holds angles of another model or corpus.
        LockedError: somebody else is writing there.
        OutputError: ``out`` is a file or holds what another command wrote; or a file cannot be written: what was
            encoded before is still there.
        DataError: the corpus cannot be read.
        OptionError: an unknown engine, workers of an engine that has none, or options of a precision, of codes and of
            a saved codec at once.
        CodecError: bytes that the scheme cannot give, too few documents, or a codec that is damaged or another head's.
    """
    check_engine(engine, ENGINES, workers)
    _check_codes(precision, size, scheme, sample, codec)
    if precision not in (None, *PRECISIONS):
        raise StoreError(f"precision {precision!r}: expected one of {', '.join(PRECISIONS)}")
    if batch_size < 1 or shard < 1:
        raise OptionError(f"batch_size={batch_size}, shard={shard}: expected whole numbers of at least 1")
    check_folder(out, "encoded documents")
    source = open_source(documents)
    encoder = load(model, quantum_device=quantum_device, ansaetze=ansaetze, allow_paid=allow_paid)
    wanted = _wanted(encoder, source, batch_size, precision, size, scheme, sample, codec)
    check_angles(encoder, codes=isinstance(wanted, Codec | Coding) or _has_codes(out, wanted))
    check_runs(encoder.head)
    fingerprint = encoder_fingerprint(encoder)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with open_for(out, encoder, fingerprint, wanted, model, update) as (store, whole):
        changes = compare(source, store, update or whole)
        left = sum(changes.wanted)
        parts = (
            _encode_here(encoder, source, changes, batch_size, shard)
            if engine == "local"
            else _encode_on_ray(
                model,
                fingerprint,
                source,
                changes,
                store,
                batch_size,
                shard,
                workers,
                update or whole,
                quantum_device,
                allow_paid,
                ansaetze,
            )
        )
        with Progress(*columns, console=make_console()) as progress:
            total = len(changes.wanted)
            task = progress.add_task("encoding", total=total, completed=total - left)
            for ids, angles, texts in parts:
                store.add(ids, angles, texts, replace=update or whole)
                progress.update(task, advance=len(ids))
        if changes.gone:
            store.remove(changes.gone)
    return AngleStore(out)


def _check_codes(
    precision: str | None, size: int | None, scheme: str | None, sample: int | None, codec: Path | None
) -> None:
    kinds = {"--precision": precision, "--bytes": size, "--codec": codec}
    given = [name for name, value in kinds.items() if value is not None]
    if len(given) > 1:
        raise OptionError(f"{' and '.join(given)} each say how documents are kept; expected one of them")
    if size is None and not (scheme is None and sample is None):
        raise OptionError("--scheme and --sample say how codes of so many bytes are fitted; say how many with --bytes")


def _wanted(
    encoder: Encoder,
    source: Documents,
    batch_size: int,
    precision: Precision | None,
    size: int | None,
    scheme: str | None,
    sample: int | None,
    codec: Path | None,
) -> Precision | Codec | Coding | None:
    if codec is not None:
        return saved_codec(codec, encoder)
    if size is None:
        return precision
    return Coding(encoder, source, size, scheme or registry.DEFAULT, SAMPLE if sample is None else sample, batch_size)


def _has_codes(out: Path, precision: Precision | None) -> bool:
    """Whether the store that is there is gone on with, and keeps codes."""
    return precision is None and (out / MANIFEST).exists() and AngleStore(out).codec is not None


def _encode_here(
    encoder: Encoder, source: Documents, changes: Changes, batch_size: int, shard: int
) -> Iterator[tuple[list[str], Tensor, Tensor]]:
    rest = changes.pick(source)
    while part := list(islice(rest, shard)):
        texts = [document.text for document in part]
        angles = encode_side(encoder, texts, "document", batch_size=batch_size, convert_to_tensor=True)
        yield [document.id for document in part], angles, text_digests(texts)


def _encode_on_ray(
    model: str,
    fingerprint: str,
    source: Documents,
    changes: Changes,
    store: AngleStore,
    batch_size: int,
    shard: int,
    workers: int | None,
    update: bool,
    quantum_device: str | None,
    allow_paid: bool,
    ansaetze: Sequence[str],
) -> Iterator[tuple[list[str], Tensor, Tensor]]:
    """Whole shards of the corpus in which something is wanted; of each, what is wanted."""
    flags = [changes.wanted[start : start + shard] for start in range(0, len(changes.wanted), shard)]
    half = next((part for part in flags[:-1] if 0 < sum(part) < len(part)), None)
    if half is not None and store.rows and not update:
        raise StoreError(
            f"{store.folder} holds {store.rows:,} documents, no whole number of shards of {shard:,}; go on with the "
            f"--shard that it was begun with ({store.shards[0].rows:,})"
        )
    todo = [number for number, part in enumerate(flags) if any(part)]
    if not todo:
        return
    parts = source.split(shard)
    if len(parts) != len(flags):
        raise StoreError(f"the corpus changed while it was encoded into {store.folder}; run again")
    wanted_parts = [parts[number] for number in todo]
    encoded = cluster.encode_parts(
        model, wanted_parts, batch_size, workers, fingerprint, quantum_device, allow_paid, ansaetze
    )
    for number, (ids, angles, texts) in zip(todo, encoded, strict=True):
        wanted = torch.tensor(list(flags[number]), dtype=torch.bool)
        if len(wanted) != len(ids):
            raise StoreError(f"the corpus changed while it was encoded into {store.folder}; run again")
        yield list(compress(ids, flags[number])), angles[wanted], texts[wanted]
