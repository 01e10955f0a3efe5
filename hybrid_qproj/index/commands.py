"""The commands encode, index and search."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from torch import Tensor

from hybrid_qproj.console import make_console
from hybrid_qproj.index import cluster
from hybrid_qproj.index.exhaustive import exhaustive_search
from hybrid_qproj.index.precision import Precision
from hybrid_qproj.index.search import CANDIDATES, AngleIndex, Kind
from hybrid_qproj.index.store import MANIFEST, AngleStore, StoreError
from hybrid_qproj.loading import load
from hybrid_qproj.retrieval.documents import Document, Documents, looks_like_file, open_source
from hybrid_qproj.retrieval.lines import is_file, is_folder
from hybrid_qproj.retrieval.rules import DataError, check_columns, check_text, shorten
from hybrid_qproj.retrieval.topics import read_topics
from hybrid_qproj.retrieval.trec import write_run
from hybrid_qproj.sbert import Encoder

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
    precision: Precision = "float32",
    batch_size: int = 64,
    shard: int = SHARD,
    engine: str = "local",
    workers: int | None = None,
) -> AngleStore:
    """Encode a corpus to a store of angles, or go on where an interrupted run stopped.

    Args:
        model: folder or hub id of an encoder with a quantum head.
        documents: a .tsv or .jsonl file (perhaps with .gz), a BEIR folder, "lee", "lee-background", or an id of
            ir_datasets; see `open_source`.
        out: folder of the store.
        precision: of the angles on disk.
        batch_size: texts the encoder takes at once.
        shard: documents of a shard.
        engine: ``"local"``, or ``"ray"`` for the machines of a Ray cluster.
        workers: processes of the cluster that encode; None for one a GPU, or one a core where there is no GPU.

    Returns:
        the store.

    Raises:
        StoreError: the head is not compared by fidelity, or ``out`` holds angles of another model or corpus.
        DataError: the corpus cannot be read.
        ValueError: an unknown engine.
    """
    if engine not in ENCODING:
        raise ValueError(f"engine {engine!r}: expected one of {', '.join(ENCODING)}")
    encoder = load(model)
    check_angles(encoder)
    source = open_source(documents)
    store = (
        AngleStore(out)
        if (out / MANIFEST).exists()
        else AngleStore.create(out, encoder.head.out_features, precision, model)
    )
    if (store.width, store.precision, store.model) != (encoder.head.out_features, precision, model):
        raise StoreError(
            f"{out} holds {store.width} {store.precision} angles of {store.model!r}; choose another folder to encode "
            f"{encoder.head.out_features} {precision} angles of {model!r}"
        )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=make_console()) as progress:
        task = progress.add_task("encoding", total=None, completed=store.rows)
        parts = (
            _encode_here(encoder, source, store, batch_size, shard)
            if engine == "local"
            else _encode_on_ray(model, source, store, batch_size, shard, workers)
        )
        for ids, angles in parts:
            store.add(ids, angles)
            progress.update(task, completed=store.rows)
    return store


def run_index(folder: Path, kind: Kind = "flat", candidates: int = CANDIDATES) -> AngleIndex:
    """Build and save the index of a store.

    Args:
        folder: the store's.
        kind: flat, ivf or hnsw.
        candidates: documents of the first stage for each that is wanted.

    Returns:
        the index.

    Raises:
        StoreError: there is no store.
        ValueError: an unknown kind.
    """
    index = AngleIndex(AngleStore(folder), kind, candidates)
    index.save()
    return index


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

    Returns:
        JSON lines, one a query; none with ``out``.

    Raises:
        StoreError: no store or index, or the model's head does not fit it.
        DataError: the queries cannot be read.
        ValueError: an unknown engine.
    """
    if engine not in SEARCHING:
        raise ValueError(f"engine {engine!r}: expected one of {', '.join(SEARCHING)}")
    texts = given_queries(queries, text)
    if out is not None:
        for query in texts:
            check_columns(query, str(queries))
    encoder = load(model)
    check_angles(encoder)
    index = AngleIndex.load(folder) if engine == "index" else None
    store = AngleStore(folder) if index is None else index.store
    if encoder.head.out_features != store.width:
        raise StoreError(f"{model!r} gives {encoder.head.out_features} angles, {folder} holds {store.width}")
    angles = torch.atleast_2d(encoder.encode(list(texts.values()), convert_to_tensor=True, show_progress_bar=False))
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


def _encode_here(
    encoder: Encoder, source: Documents, store: AngleStore, batch_size: int, shard: int
) -> Iterator[tuple[list[str], Tensor]]:
    rest = _after(source, store)
    while part := list(islice(rest, shard)):
        texts = [document.text for document in part]
        angles = encoder.encode(texts, batch_size=batch_size, convert_to_tensor=True, show_progress_bar=False)
        yield [document.id for document in part], angles


def _encode_on_ray(
    model: str, source: Documents, store: AngleStore, batch_size: int, shard: int, workers: int | None
) -> Iterator[tuple[list[str], Tensor]]:
    _after(source, store)
    parts = source.split(shard)
    done, rest = divmod(store.rows, shard)
    if rest and (done < len(parts) - 1 or rest != sum(1 for _ in parts[-1])):
        raise StoreError(
            f"{store.folder} holds {store.rows:,} documents, no whole number of shards of {shard:,}; go on with the "
            f"--shard that it was begun with ({store.shards[0].rows:,})"
        )
    return cluster.encode_parts(model, parts[done + bool(rest) :], batch_size, workers)


def _after(source: Documents, store: AngleStore) -> Iterator[Document]:
    """What of the corpus is not in the store yet; its beginning must be what is."""
    stream = iter(source)
    for place, document in enumerate(islice(stream, store.rows)):
        if document.id != store.ids[place]:
            raise StoreError(
                f"{store.folder} holds another corpus: document {place} is {store.ids[place]!r}, here {document.id!r}"
            )
    return stream
