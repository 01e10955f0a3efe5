"""Encoding and exhaustive search on many machines, by Ray Data: a shard a task, each worker with a model of its own.

Ray starts a worker again that dies and repeats what it was doing. Results come back in order, so a store holds the same
documents in the same shards as if one machine had made it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hybrid_qproj._util.extras import require
from hybrid_qproj.index.errors import StoreError
from hybrid_qproj.index.exhaustive import Hits, best_of_shard, check_queries, exhaustive_search, merge
from hybrid_qproj.index.store import AngleStore
from hybrid_qproj.index.texts import text_digests
from hybrid_qproj.loading import load
from hybrid_qproj.retrieval.documents import Documents
from hybrid_qproj.text.embeddings.fingerprint import encoder_fingerprint
from hybrid_qproj.text.sides import encode_side


def encode_parts(
    model: str,
    parts: Sequence[Documents],
    batch_size: int,
    workers: int | None = None,
    fingerprint: str | None = None,
    quantum_device: str | None = None,
    allow_paid: bool = False,
    ansaetze: Sequence[str] = (),
) -> Iterator[tuple[list[str], Tensor, Tensor]]:
    """Ids, angles and digests of texts of parts of a corpus, in order, while workers encode the next ones.

    Args:
        model: folder or hub id, which all machines can load.
        parts: what is encoded, which all machines can read.
        batch_size: texts the encoder takes at once.
        workers: processes; None for one a GPU, or one a CPU core where there is no GPU.
        fingerprint: that each worker's model must have; None for any.
        quantum_device: device string that replaces the saved one.
        allow_paid: whether circuits may run on a device that can cost money; told to each worker.
        ansaetze: your own ones that the head may name, importable on all machines; see `hybrid_qproj.load`.

    Yields:
        ids; angles (documents, width), float32; and digests of texts (documents, 16), uint8.

    Raises:
        StoreError: a worker loads another model.
        MissingExtraError: ray is not installed.
        DataError: a part cannot be read.
        PaidDeviceError: the device can cost money and is not allowed.
    """
    arguments = (model, list(parts), batch_size, fingerprint, quantum_device, allow_paid, tuple(ansaetze))
    for row in _map(_EncodePart, arguments, len(parts), workers):
        angles, texts = (torch.from_numpy(np.array(row[key])) for key in ("angles", "texts"))
        yield list(row["ids"]), angles, texts


def search_shards(folder: Path, queries: Tensor, k: int, workers: int | None = None) -> Hits:
    """The documents of highest fidelity among all of a store.

    Args:
        folder: of the store, which all machines can read.
        queries: angles, (n, width).
        k: documents for each query.
        workers: processes; None for one a CPU core.

    Returns:
        log fidelities and positions, best first: those of `exhaustive_search`.

    Raises:
        MissingExtraError: ray is not installed.
        StoreError: there is no store, it is damaged, or the queries do not fit.
    """
    store = AngleStore(folder)
    check_queries(store, queries, k)
    if not store.shards:
        return exhaustive_search(store, queries, k)
    count = len(store.shards)
    rows = _map(_SearchShard, (str(folder), queries.detach().float().cpu().numpy(), k), count, workers)
    return merge(
        [Hits(torch.from_numpy(np.array(row["scores"])), torch.from_numpy(np.array(row["places"]))) for row in rows], k
    )


class _EncodePart:
    """A worker that encodes."""

    def __init__(
        self,
        model: str,
        parts: list[Documents],
        batch_size: int,
        fingerprint: str | None,
        quantum_device: str | None,
        allow_paid: bool,
        ansaetze: Sequence[str] = (),
    ) -> None:
        self._encoder = load(model, quantum_device=quantum_device, ansaetze=ansaetze, allow_paid=allow_paid)
        self._parts, self._batch_size = parts, batch_size
        if fingerprint is not None and encoder_fingerprint(self._encoder) != fingerprint:
            raise StoreError(f"{model!r} is another model on a machine of the cluster, or was replaced just now")

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        (number,) = batch["number"]
        documents = list(self._parts[number])
        angles = encode_side(
            self._encoder,
            [document.text for document in documents],
            "document",
            batch_size=self._batch_size,
            convert_to_tensor=True,
        )
        return {
            "ids": [[document.id for document in documents]],
            "angles": angles.float().cpu().numpy()[None],
            "texts": text_digests([document.text for document in documents]).numpy()[None],
        }


class _SearchShard:
    """A worker that searches."""

    def __init__(self, folder: str, queries: Any, k: int) -> None:
        self._store, self._queries, self._k = AngleStore(folder), torch.from_numpy(queries), k

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        (number,) = batch["number"]
        hits = best_of_shard(self._store, int(number), self._queries, self._k)
        return {"scores": hits.scores.numpy()[None], "places": hits.positions.numpy()[None]}


def _map(worker: Callable[..., Any], arguments: tuple[Any, ...], tasks: int, workers: int | None) -> Iterator[Any]:
    """Rows that workers make of the numbers of tasks, in order."""
    if not tasks:
        return
    ray = require("ray", "ray", "the engine 'ray'")
    with _connected(ray):
        resources = ray.cluster_resources()
        gpus, cpus = int(resources.get("GPU", 0)), int(resources["CPU"])
        on_gpu = worker is _EncodePart and gpus > 0
        size = min(tasks, workers or (gpus if on_gpu else cpus))
        context = ray.data.DataContext.get_current().copy()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        context.raise_original_map_exception = True
        # A dataset keeps the context of its making.
        with ray.data.DataContext.current(context):
            dataset = ray.data.from_items([{"number": number} for number in range(tasks)], override_num_blocks=tasks)
            dataset = dataset.map_batches(
                worker,
                fn_constructor_args=arguments,
                batch_size=1,
                compute=ray.data.ActorPoolStrategy(size=size),
                num_cpus=1,
                num_gpus=1 if on_gpu else None,
            )
        try:
            yield from dataset.iter_rows()
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error


@contextmanager
def _connected(ray: Any) -> Iterator[None]:
    """A cluster: the one that runs already or that RAY_ADDRESS names, else one of this machine for the time being."""
    if ray.is_initialized():
        yield
        return
    ray.init(include_dashboard=False, logging_level=logging.WARNING)
    try:
        yield
    finally:
        ray.shutdown()
