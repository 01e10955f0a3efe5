"""The command encode: a corpus to a store of angles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress, islice
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from torch import Tensor

from hybrid_qproj._util.extras import require
from hybrid_qproj._util.outputs import check_folder
from hybrid_qproj.cli.run.engines import OptionError, check_engine
from hybrid_qproj.cli.tables import make_console
from hybrid_qproj.codec import Codec
from hybrid_qproj.codec import registry as codecs
from hybrid_qproj.codec.checks import check_codec as check_scheme
from hybrid_qproj.codec.scheme import LEAST_ROWS
from hybrid_qproj.estimate import check_runs
from hybrid_qproj.heads.base import Head
from hybrid_qproj.heads.fingerprint import head_fingerprint
from hybrid_qproj.index import cluster
from hybrid_qproj.index.binding import check_angles, open_for
from hybrid_qproj.index.coding import SAMPLE, Coding, check_head, sample
from hybrid_qproj.index.corpus import Changes, compare
from hybrid_qproj.index.form import check_codec
from hybrid_qproj.index.precision import PRECISIONS, Precision
from hybrid_qproj.index.store import AngleStore, StoreError
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
CODEC_SEED = 0
"""Of the documents that a codec is fitted to, and of what it draws."""


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
    sampled: int | None = None,
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
        size: bytes of a document: its angles are then coded, by a codec that is fitted to some of the documents.
        scheme: of the codec, see `hybrid_qproj.codec`; None for ``"bits"``.
        sampled: documents, chosen by a fixed seed, that the codec is fitted to; None for 10,000.
        codec: folder of a saved codec, in place of a fitted one.

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
        OptionError: an unknown engine, workers of an engine that has none, or options of codes that do not go together.
        CodecError: the codec cannot be read, cannot give so many bytes, or there are too few documents to fit it to.
    """
    check_engine(engine, ENGINES, workers)
    if precision not in (None, *PRECISIONS):
        raise StoreError(f"precision {precision!r}: expected one of {', '.join(PRECISIONS)}")
    _check_coding(precision, size, scheme, sampled, codec)
    if batch_size < 1 or shard < 1:
        raise OptionError(f"batch_size={batch_size}, shard={shard}: expected whole numbers of at least 1")
    check_folder(out, "encoded documents")
    source = open_source(documents)
    encoder = load(model, quantum_device=quantum_device, ansaetze=ansaetze, allow_paid=allow_paid)
    check_angles(encoder)
    check_runs(encoder.head)
    coding = _wanted_coding(encoder.head, size, scheme, codec)
    console = make_console()

    def fit(coding: Coding) -> Codec:
        chosen = sample(source, sampled or SAMPLE, CODEC_SEED)
        console.print(
            f"fitting {coding.scheme} of {coding.bytes} bytes to {len(chosen):,} documents; seed {CODEC_SEED}",
            highlight=False,
        )
        texts = [document.text for document in chosen]
        angles = encode_side(encoder, texts, "document", batch_size=batch_size, convert_to_tensor=True)
        angles = angles.reshape(len(texts), encoder.head.out_features)
        return Codec.fit(angles, coding.bytes, coding.scheme, CODEC_SEED, head=head_fingerprint(encoder.head))

    fingerprint = encoder_fingerprint(encoder)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with open_for(out, encoder, fingerprint, precision, model, update, coding, fit) as (store, whole):
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
        with Progress(*columns, console=console) as progress:
            total = len(changes.wanted)
            task = progress.add_task("encoding", total=total, completed=total - left)
            for ids, angles, texts in parts:
                store.add(ids, angles, texts, replace=update or whole)
                progress.update(task, advance=len(ids))
        if changes.gone:
            store.remove(changes.gone)
    return AngleStore(out)


def _check_coding(
    precision: str | None, size: int | None, scheme: str | None, sampled: int | None, codec: Path | None
) -> None:
    """Refuse options of codes that contradict each other."""
    given = {"--precision": precision, "--bytes": size, "--codec": codec}
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise OptionError(f"{' and '.join(names)}: documents are kept in one way; give one of these")
    beside = {"--scheme": scheme, "--sample": sampled}
    stray = [name for name, value in beside.items() if value is not None]
    if stray and size is None:
        raise OptionError(f"{' and '.join(stray)}: for a codec that is fitted; give its --bytes too")
    if (size is not None and size < 1) or (sampled is not None and sampled < LEAST_ROWS):
        raise OptionError(f"bytes={size}, sample={sampled}: expected whole numbers of at least 1 and {LEAST_ROWS}")


def _wanted_coding(head: Head, size: int | None, scheme: str | None, codec: Path | None) -> Coding | Codec | None:
    """What documents are to be coded by, checked against the head before anything is encoded; None for angles."""
    if codec is not None:
        saved = Codec.load(codec)
        check_codec(saved, head.out_features)
        check_head(saved, head_fingerprint(head))
        return saved
    if size is None:
        return None
    wanted = Coding(size, scheme or codecs.DEFAULT)
    check_scheme(wanted.scheme, head.out_features, size, "fidelity")
    if codecs.get(wanted.scheme).uses_faiss:
        require("faiss", "index", f"the codec {wanted.scheme!r}")
    return wanted


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
