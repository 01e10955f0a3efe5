"""All cells of an experiment, in parallel, each recorded as soon as it is done: run again, only the rest is run."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch

from hybrid_qproj.devices import DeviceRunError, DeviceUnavailableError
from hybrid_qproj.errors import ExpectedError
from hybrid_qproj.experiments.cells import digest, run_cell
from hybrid_qproj.experiments.config import ExperimentConfig
from hybrid_qproj.experiments.data import ExperimentData, read_data
from hybrid_qproj.experiments.records import Cell, Record, read_records, write_record
from hybrid_qproj.training.trainer import TrainingError

WATCH_S = 2.0
SHOWN = 10
"""Failures that a message tells."""


class ExperimentError(ExpectedError):
    """Cells that failed; the others are recorded."""


def unfinished(cells: Sequence[Cell], config: ExperimentConfig, folder: Path) -> list[Cell]:
    """The cells that have no record, or one of another configuration.

    Args:
        cells: all cells.
        config: the experiment.
        folder: of the records.
    """
    known = {record.cell: record.digest for record in read_records(folder)}
    return [cell for cell in cells if known.get(cell) != digest(cell, config)]


def run_cells(
    todo: Sequence[Cell],
    config: ExperimentConfig,
    data: ExperimentData,
    folder: Path,
    workers: int,
    done: Callable[[Record], None] = lambda record: None,
    allow_paid: bool = False,
) -> None:
    """Run cells and record each.

    Args:
        todo: what to run.
        config: the experiment.
        data: its data; worker processes read their own.
        folder: of the records.
        workers: processes; with one, cells run in this process. The result does not depend on it while the encoder is
            frozen.
        done: called with each record as it comes.
        allow_paid: whether devices may be such that can cost money; told to each worker process.

    Raises:
        ExperimentError: cells failed; the rest was run all the same.
    """
    failed = []
    frozen = all(cell.layers == 0 for cell in todo)
    # Tables are too small to share among threads.
    threads = 1 if frozen else max(1, (os.cpu_count() or 1) // workers)
    results = (
        _here(todo, config, data, folder, threads, allow_paid)
        if workers == 1
        else _pool(todo, config, folder, workers, threads, allow_paid)
    )
    for cell, get in results:
        try:
            done(get())
        except (TrainingError, ValueError, DeviceRunError, DeviceUnavailableError) as error:
            failed.append(f"{cell.name}: {error}")
    if failed:
        shown = "; ".join(sorted(failed)[:SHOWN]) + ("; ..." if len(failed) > SHOWN else "")
        raise ExperimentError(f"{len(failed)} of {len(todo)} cells failed: {shown}")


_Result = tuple[Cell, Callable[[], Record]]
"""A cell, and what gives its record or raises what went wrong with it."""


@contextmanager
def threads_of_torch(number: int) -> Iterator[None]:
    """Compute with so many threads. One gives the same rounding everywhere: a cell made again is the same."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _here(
    todo: Sequence[Cell],
    config: ExperimentConfig,
    data: ExperimentData,
    folder: Path,
    threads: int,
    allow_paid: bool,
) -> Iterator[_Result]:
    with threads_of_torch(threads):
        for cell in todo:
            yield cell, partial(_record, cell, config, data, allow_paid, folder)


def _pool(
    todo: Sequence[Cell], config: ExperimentConfig, folder: Path, workers: int, threads: int, allow_paid: bool
) -> Iterator[_Result]:
    with ProcessPoolExecutor(
        max_workers=workers,
        # Forking a process whose torch has started threads can hang.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(config, threads, os.getpid(), allow_paid),
    ) as pool:
        futures = {pool.submit(_run, cell, folder): cell for cell in todo}
        try:
            for future in as_completed(futures):
                if isinstance(future.exception(), BrokenProcessPool):
                    raise ExperimentError(
                        "a worker process died, most likely for want of memory; run again with fewer --workers: it "
                        "goes on with what is missing"
                    ) from future.exception()
                yield futures[future], future.result
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_shared: dict[str, tuple[ExperimentConfig, ExperimentData, bool]] = {}
"""What a worker process keeps between its cells."""
_failed: list[Exception] = []
"""Why it has nothing to keep."""


def _start(config: ExperimentConfig, threads: int, parent: int, allow_paid: bool) -> None:
    torch.set_num_threads(threads)
    # Interrupted from the keyboard, the parent says so; each worker's traceback would say it again.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # A worker whose parent was killed would wait for work for ever.
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    try:
        _shared["experiment"] = config, read_data(config), allow_paid
    except (ValueError, OSError) as error:
        # Raised here, it would be a traceback on the terminal and a pool that is broken for no reason that it knows.
        _failed.append(error)


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_S)
    os._exit(1)


def _run(cell: Cell, folder: Path) -> Record:
    if _failed:
        raise _failed[0]
    return _record(cell, *_shared["experiment"], folder)


def _record(cell: Cell, config: ExperimentConfig, data: ExperimentData, allow_paid: bool, folder: Path) -> Record:
    record = run_cell(cell, config, data, folder / "work", allow_paid)
    write_record(folder, record)
    return record
