"""The command search: queries against a store of angles."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from hybrid_qproj._util.excerpts import shorten
from hybrid_qproj._util.files import OutputError
from hybrid_qproj.cli.run.engines import OptionError, check_engine
from hybrid_qproj.errors import DataError
from hybrid_qproj.estimate import check_runs
from hybrid_qproj.index import cluster
from hybrid_qproj.index.binding import check_angles, check_model
from hybrid_qproj.index.exhaustive import exhaustive_search
from hybrid_qproj.index.search import AngleIndex
from hybrid_qproj.index.store import AngleStore
from hybrid_qproj.loading import load
from hybrid_qproj.retrieval.lines import is_file, is_folder
from hybrid_qproj.retrieval.rules import check_columns, check_text
from hybrid_qproj.retrieval.sources import looks_like_file
from hybrid_qproj.retrieval.topics import read_topics
from hybrid_qproj.retrieval.trec import write_run
from hybrid_qproj.text.sides import encode_side

ENGINES = ("index", "exhaustive", "ray")


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
        OptionError: an unknown engine, or workers or an effort where there are none.
    """
    check_engine(engine, ENGINES, workers, effort)
    if k < 1 or (effort is not None and effort < 1):
        raise OptionError(f"k={k}, effort={effort}: expected whole numbers of at least 1")
    if out is not None:
        _check_file(out, None if text else queries)
    texts = given_queries(queries, text)
    _check_ids(texts if out is not None else (), queries)
    index = AngleIndex.load(folder) if engine == "index" else None
    store = AngleStore(folder) if index is None else index.store
    if index is not None and index.kind == "flat" and effort is not None:
        raise OptionError(f"effort={effort} is one of ivf, ivfpq and hnsw; {folder} has a flat index: leave it out")
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
