"""The commands encode, index and search."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, islice
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from torch import Tensor

from hybrid_qproj._util.excerpts import shorten
from hybrid_qproj._util.extras import require
from hybrid_qproj._util.files import OutputError
from hybrid_qproj._util.outputs import check_folder
from hybrid_qproj.cli.tables import make_console
from hybrid_qproj.errors import DataError
from hybrid_qproj.estimate import check_runs
from hybrid_qproj.index import cluster
from hybrid_qproj.index.binding import check_angles, check_model, open_for
from hybrid_qproj.index.corpus import Changes, compare
from hybrid_qproj.index.exhaustive import exhaustive_search
from hybrid_qproj.index.precision import PRECISIONS, Precision
from hybrid_qproj.index.search import CANDIDATES, AngleIndex, Kind
from hybrid_qproj.index.store import AngleStore, StoreError
from hybrid_qproj.index.texts import text_digests
from hybrid_qproj.loading import load
from hybrid_qproj.retrieval.documents import Documents, looks_like_file, open_source
from hybrid_qproj.retrieval.lines import is_file, is_folder
from hybrid_qproj.retrieval.rules import check_columns, check_text
from hybrid_qproj.retrieval.topics import read_topics
from hybrid_qproj.retrieval.trec import write_run
from hybrid_qproj.sbert import Encoder
from hybrid_qproj.text.embeddings.fingerprint import encoder_fingerprint
from hybrid_qproj.text.sides import encode_side

SHARD = 1 << 16
"""Documents of a shard: what an interruption loses at most."""
ENCODING = ("local", "ray")
"""Engines of `run_encode`."""
SEARCHING = ("index", "exhaustive", "ray")
"""Engines of `run_search`."""


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
        ValueError: an unknown engine, or workers of an engine that has none.
    """
    _check_engine(engine, ENCODING, workers)
    if precision not in (None, *PRECISIONS):
        raise StoreError(f"precision {precision!r}: expected one of {', '.join(PRECISIONS)}")
    if batch_size < 1 or shard < 1:
        raise ValueError(f"batch_size={batch_size}, shard={shard}: expected whole numbers of at least 1")
    check_folder(out, "encoded documents")
    source = open_source(documents)
    encoder = load(model, quantum_device=quantum_device, ansaetze=ansaetze, allow_paid=allow_paid)
    check_angles(encoder)
    check_runs(encoder.head)
    fingerprint = encoder_fingerprint(encoder)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with open_for(out, encoder, fingerprint, precision, model, update) as (store, whole):
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


def run_index(folder: Path, kind: Kind = "flat", candidates: int = CANDIDATES) -> AngleIndex:
    """Build and save the index of a store.

    Args:
        folder: the store's.
        kind: flat, ivf or hnsw.
        candidates: documents of the first stage for each that is wanted.

    Returns:
        the index.

    Raises:
        StoreError: there is no store, or an unknown kind.
        LockedError: somebody else is building its index.
        OutputError: a file cannot be written; an older index is unchanged.
    """
    return AngleIndex.build(folder, kind, candidates)


def run_search(
    model: str,
    folder: Path,
    queries: str,
    k: int = 10,
    out: Path | None = None,
    engine: str = "index",
    workers: int | None = None,
    effort: int | None = None,
    text: bool = False,
    quantum_device: str | None = None,
    allow_paid: bool = False,
    ansaetze: Sequence[str] = (),
) -> list[str]:
    """Search a store.

    Args:
        model: folder or hub id of the encoder with its head.
        folder: of the store and its index.
        queries: a file of queries (.tsv, .jsonl or TREC topics), or one query's text.
        k: documents for each query.
        out: TREC run to write; None for JSON lines.
        engine: ``"index"``; ``"exhaustive"`` to compare with every document; ``"ray"`` to do that on a Ray cluster.
        workers: processes of the cluster; None for one a core.
        effort: of the index, see `AngleIndex.search`.
        text: whether ``queries`` is a query's text, whatever it looks like.
        quantum_device: device string that replaces the saved one.
        allow_paid: whether circuits may run on a device that can cost money.
        ansaetze: your own ones that the head may name; see `hybrid_qproj.load`.

    Returns:
        JSON lines, one a query; none with ``out``.

    Raises:
        PaidDeviceError: the device can cost money and is not allowed; seen before any work.
        DeviceUnavailableError: ``quantum_device`` is not usable; likewise.
        StoreError: no store or index, or the model's head does not fit it.
        OutputError: ``out`` is a folder, the file of queries, or in no folder.
        DataError: the queries cannot be read, or with ``out`` an id has a space in it, which no run can hold.
        ValueError: an unknown engine, or workers or an effort where there are none.
    """
    _check_engine(engine, SEARCHING, workers, effort)
    if k < 1 or (effort is not None and effort < 1):
        raise ValueError(f"k={k}, effort={effort}: expected whole numbers of at least 1")
    if out is not None:
        _check_file(out, None if text else queries)
    texts = given_queries(queries, text)
    _check_ids(texts if out is not None else (), queries)
    index = AngleIndex.load(folder) if engine == "index" else None
    store = AngleStore(folder) if index is None else index.store
    if index is not None and index.kind == "flat" and effort is not None:
        raise ValueError(f"effort={effort} is one of ivf and hnsw; {folder} has a flat index: leave it out")
    _check_ids(store.ids if out is not None else (), folder)
    encoder = load(model, quantum_device=quantum_device, ansaetze=ansaetze, allow_paid=allow_paid)
    check_angles(encoder)
    check_runs(encoder.head)
    check_model(store, encoder, model)
    angles = torch.atleast_2d(encode_side(encoder, list(texts.values()), "query", convert_to_tensor=True))
    if index is not None:
        scores, positions = index.search(angles, k, effort)
    elif engine == "exhaustive":
        scores, positions = exhaustive_search(store, angles, k)
    else:
        scores, positions = cluster.search_shards(folder, angles, k, workers)
    names = store.ids
    run = {
        query: {names[place]: score for place, score in zip(row, row_scores, strict=True) if place >= 0}
        for query, row, row_scores in zip(texts, positions.tolist(), scores.tolist(), strict=True)
    }
    if out is not None:
        write_run(out, run, "hybrid-qproj")
        return []
    return [json.dumps({"query": query, "documents": found}, ensure_ascii=False) for query, found in run.items()]


def _check_engine(engine: str, engines: Sequence[str], workers: int | None, effort: int | None = None) -> None:
    """Refuse an engine that there is not, and options that it would ignore."""
    if engine not in engines:
        raise ValueError(f"engine {engine!r}: expected one of {', '.join(engines)}")
    if engine == "ray":
        require("ray", "ray", "the engine 'ray'")
    elif workers is not None:
        raise ValueError(f"workers={workers} is for a Ray cluster; engine {engine!r} has none: leave it out")
    if effort is not None and engine != "index":
        raise ValueError(f"effort={effort} is for an index; engine {engine!r} has none: leave it out")


def _check_ids(names: Iterable[str], where: str | Path) -> None:
    for name in names:
        check_columns(name, str(where))


def _check_file(path: Path, queries: str | None) -> None:
    if queries is not None and is_file(queries) and path.exists() and path.samefile(queries):
        raise OutputError(f"{path} is the file of queries; choose another file for the run")
    if not path.parent.is_dir():
        raise OutputError(f"{path} could not be written: there is no folder {str(path.parent)!r}; make it first")
    if path.is_dir():
        raise OutputError(f"{path} is a folder; choose a file to write")


def given_queries(queries: str, text: bool = False) -> dict[str, str]:
    """Queries of a file, or one query's text.

    Args:
        queries: the name of a file, or a text. What has white space in it and no ending such as .tsv is a text, and so
            is a word without a separator of paths.
        text: whether it is a text, whatever it looks like.

    Returns:
        query id -> text; the id of one given as a text is ``"query"``.

    Raises:
        DataError: a query is blank, the file cannot be read, or what looks like a file is none.
    """
    if not queries.strip():
        raise DataError("the query is blank; expected a text, or a file of queries")
    if not text and is_file(queries):
        return read_queries(queries)
    if not text and (is_folder(queries) or _is_path(queries)):
        raise DataError(
            f"no file of queries {shorten(queries)}; check its name, or say with --text that this is the query itself"
        )
    return {"query": check_text(queries, "the command line", "the query's text")}


def _is_path(name: str) -> bool:
    one_word = len(name.split()) == 1
    return looks_like_file(name) or (one_word and any(separator in name for separator in "/\\"))


def read_queries(path: str | Path) -> dict[str, str]:
    """Queries of a file: id -> text; see `read_topics`.

    Raises:
        DataError: see there; or a query is blank.
    """
    texts = read_topics(path)
    blank = next((query for query, text in texts.items() if not text.strip()), None)
    if blank is not None:
        raise DataError(f"{path}: query {blank!r} is blank; expected a text to search for")
    return texts


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
