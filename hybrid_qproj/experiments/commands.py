"""The commands train, evaluate and compare, with their progress on the terminal."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from transformers.utils import logging as transformers_logging

from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.console import make_console
from hybrid_qproj.embeddings.table import EmbeddingTable
from hybrid_qproj.estimate import check_runs
from hybrid_qproj.experiments.build import check_devices, sizes_of
from hybrid_qproj.experiments.cells import build_model, cells, digest, train_cell
from hybrid_qproj.experiments.config import ConfigError, ExperimentConfig, load_config
from hybrid_qproj.experiments.data import ExperimentData, open_encoder, read_data, read_tests
from hybrid_qproj.experiments.grid import run_cells, unfinished
from hybrid_qproj.experiments.manifest import write_manifest
from hybrid_qproj.experiments.records import Cell, read_records
from hybrid_qproj.experiments.report import write_report
from hybrid_qproj.experiments.summary import Row
from hybrid_qproj.loading import load
from hybrid_qproj.retrieval.measures import evaluate_run
from hybrid_qproj.retrieval.protocols import rank
from hybrid_qproj.retrieval.trec import write_run
from hybrid_qproj.sbert import Encoder, with_head
from hybrid_qproj.training.run import describe

RUN = "run.json"
MODEL = "model"
LARGE_TABLE = 60
"""Rows of results that a terminal still shows; larger tables are read in the report."""


def run_train(
    path: Path,
    out: Path,
    head: str | None = None,
    size: int | None = None,
    objective: str | None = None,
    seed: int = 0,
    allow_paid: bool = False,
) -> Encoder:
    """Train one head of an experiment and save it on its encoder.

    Args:
        path: the experiment.
        out: folder of checkpoints, logs and the model; a run found there is continued.
        head: which head; None if there is only one that trains.
        size: which size, likewise.
        objective: which objective, likewise.
        seed: of everything random.
        allow_paid: whether the head's device may be one that can cost money.

    Returns:
        the model.

    Raises:
        PaidDeviceError: the head's device can cost money and is not allowed; seen before any work.
        DeviceUnavailableError: it is not usable; likewise.
        ConfigError: the configuration is not sound, the choice is not unique, or ``out`` holds another run.
        DataError: the data cannot be read.
        TrainingError: the run cannot go on.
    """
    config = load_config(path)
    check_devices(config, [name for name in config.heads if head in (None, name)], allow_paid)
    out.mkdir(parents=True, exist_ok=True)
    console = make_console()
    with _embedding(console) as progress:
        data = read_data(config, progress)
    cell = _one(config, data, head, size, objective, seed)
    _claim(out, cell, config)
    _say(console, data.problems)
    torch.manual_seed(seed)  # dropout
    model = build_model(cell, config, data, allow_paid)
    console.print(f"{cell.name}: training {describe(model)}; seed {seed}, torch {torch.__version__}", highlight=False)
    losses = train_cell(model, cell, config, data, out, keep=True)
    whole = with_head(open_encoder(config), model.head) if isinstance(model[0], EmbeddingTable) else model
    if _is_main_process():
        whole.save_pretrained(str(out / MODEL), create_model_card=False)
        console.print(
            f"loss {losses[0]:.4f} -> {losses[1]:.4f}; model: {out / MODEL} (hybrid_qproj.load)", highlight=False
        )
    return whole


def run_evaluate(
    model: str, path: Path, out: Path, quantum_device: str | None = None, allow_paid: bool = False
) -> dict[str, dict[str, float]]:
    """Evaluate a saved model on an experiment's tests.

    Args:
        model: folder of an encoder with a head.
        path: the experiment.
        out: folder for a TREC run a test and ``measures.json``.
        quantum_device: device string that replaces the saved one.
        allow_paid: whether circuits may run on a device that can cost money.

    Returns:
        test -> measure -> mean over queries.

    Raises:
        PaidDeviceError: the device can cost money and is not allowed; seen before any work.
        DeviceUnavailableError: ``quantum_device`` is not usable; likewise.
        ConfigError: the experiment has no tests.
        CheckpointError: the folder holds no model.
    """
    config = load_config(path)
    if not config.test:
        raise ConfigError(f"{path} has no [[test]] to evaluate on")
    encoder = load(model, quantum_device=quantum_device, allow_paid=allow_paid)
    check_runs(encoder.head)
    tests = read_tests(config)
    out.mkdir(parents=True, exist_ok=True)
    console = make_console()
    means: dict[str, dict[str, float]] = {}
    per_query = {}
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("test", "queries", *config.measures):
        table.add_column(column, justify="left" if column == "test" else "right")
    for test in tests:
        _say(console, [f"{test.name}: {problem}" for problem in test.problems])
        run = rank(encoder, test, config.encoder.batch_size)
        write_run(out / f"{_file_name(test.name)}.run", run, "hybrid-qproj")
        per_query[test.name] = evaluate_run(test.qrels, run, config.measures, test.relevant)
        means[test.name] = {name: float(np.mean(list(v.values()))) for name, v in per_query[test.name].items()}
        table.add_row(test.name, str(len(test.queries)), *(f"{value:.4f}" for value in means[test.name].values()))
    write_atomically(out / "measures.json", json.dumps({"means": means, "queries": per_query}, indent=1).encode())
    console.print(table)
    return means


def run_compare(path: Path, out: Path, workers: int | None = None, allow_paid: bool = False) -> list[Row]:
    """Run an experiment's grid, or what is missing of it, and write the report.

    Args:
        path: the experiment.
        out: folder of the results.
        workers: processes; one a core for frozen encoders, else one.
        allow_paid: whether the heads' devices may be such that can cost money.

    Returns:
        the rows of the table.

    Raises:
        PaidDeviceError: a device can cost money and is not allowed; seen before any work.
        DeviceUnavailableError: a device is not usable; likewise.
        ConfigError: the configuration is not sound.
        DataError: the data cannot be read.
        ExperimentError: cells failed; the others are recorded and will not run again.
    """
    config = load_config(path)
    if not config.test:
        raise ConfigError(f"{path} has no [[test]] to compare on")
    check_devices(config, config.heads, allow_paid)
    out.mkdir(parents=True, exist_ok=True)
    console = make_console()
    with _embedding(console) as progress:
        data = read_data(config, progress)
    _say(console, data.problems)
    everything = cells(config, data.width)
    todo = unfinished(everything, config, out)
    write_manifest(out, config, tomllib.loads(path.read_text(encoding="utf-8")))
    frozen = all(cell.layers == 0 for cell in everything)
    workers = workers or (os.cpu_count() or 1 if frozen else 1)
    console.print(
        f"{config.name}: {len(everything)} cells, {len(everything) - len(todo)} of them done before", highlight=False
    )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    if todo:
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("cells", total=len(todo))
            run_cells(todo, config, data, out, workers, done=lambda _: bar.advance(task), allow_paid=allow_paid)
    wanted = {cell: digest(cell, config) for cell in everything}
    found = {r.cell: r for r in read_records(out) if wanted.get(r.cell) == r.digest}
    rows = write_report(out, config, [found[cell] for cell in everything])
    if len(rows) <= LARGE_TABLE:
        console.print(_table(rows, config.measures[0]))
    console.print(f"Report: {out / 'results.md'}", highlight=False)
    return rows


def _table(rows: Sequence[Row], measure: str) -> Table:
    table = Table(title=measure, box=box.SIMPLE_HEAD)
    for column in ("head", "objective"):
        table.add_column(column)
    for column in ("k", "queries", "parameters", *rows[0].scores):
        table.add_column(column, justify="right")
    for row in rows:
        scores = (f"{score[measure].mean:.4f}" for score in row.scores.values())
        queries = "" if row.key.queries is None else str(row.key.queries)
        table.add_row(row.key.head, row.key.objective, str(row.key.k), queries, f"{row.parameters:,}", *scores)
    return table


def _one(
    config: ExperimentConfig, data: ExperimentData, head: str | None, size: int | None, objective: str | None, seed: int
) -> Cell:
    """The one cell that is meant."""
    heads = [head] if head else list(config.heads)
    objectives = [objective] if objective else list(config.objectives)
    if len(heads) != 1 or heads[0] not in config.heads:
        raise ConfigError(f"say which head to train with --head: {', '.join(config.heads)}")
    if len(objectives) != 1 or objectives[0] not in config.objectives:
        raise ConfigError(f"say what to train for with --objective: {', '.join(config.objectives) or 'there is none'}")
    sizes = [size] if size else list(sizes_of(config, heads[0], data.width))
    if len(sizes) != 1:
        raise ConfigError(f"say which size to train with --size: {', '.join(map(str, sizes))}")
    if len(config.encoder.layers) != 1:
        raise ConfigError(f"encoder.layers = {list(config.encoder.layers)}: to train one model, give one number")
    labelled = config.objectives[objectives[0]].labels is not None
    queries = config.fractions[0] if labelled else None
    if labelled and len(config.fractions) != 1:
        raise ConfigError(f"fractions = {list(config.fractions)}: to train one model, give one")
    return Cell(heads[0], sizes[0], objectives[0], queries, config.encoder.layers[0], seed)


def _claim(out: Path, cell: Cell, config: ExperimentConfig) -> None:
    """Note what a folder holds, or refuse to go on with something else in it."""
    mine = {"cell": cell._asdict(), "digest": digest(cell, config)}
    known = out / RUN
    if known.exists():
        if json.loads(known.read_text(encoding="utf-8")) != mine:
            raise ConfigError(f"{out} holds a run of another head or configuration; choose another --out or delete it")
    elif _is_main_process():
        write_atomically(known, json.dumps(mine).encode())


@contextmanager
def _embedding(console: Console) -> Iterator:  # type: ignore[type-arg]  # of a Progress callback of experiments.data
    # Its bars would stand between ours.
    transformers_logging.disable_progress_bar()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("reading data", total=None)

        def report(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield report


def _say(console: Console, problems: Sequence[str]) -> None:
    for problem in problems:
        console.print(f"note: {problem}", highlight=False, markup=False)


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in name)


def _is_main_process() -> bool:
    return int(os.environ.get("RANK", "0")) == 0
