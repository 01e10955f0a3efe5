"""The commands train, evaluate and compare: what can be checked is checked, then the work is done."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rich import box
from rich.table import Table

from hybrid_qproj._util.files import writing
from hybrid_qproj._util.outputs import output_folder, write_together
from hybrid_qproj.cli.progress import reading, row_table, running, say
from hybrid_qproj.cli.tables import make_console
from hybrid_qproj.estimate import check_runs
from hybrid_qproj.experiments.cells import build_model, cells, digest, train_cell
from hybrid_qproj.experiments.checks import check_devices, check_files, check_runs_of, check_tests
from hybrid_qproj.experiments.config import ConfigError, load_config
from hybrid_qproj.experiments.data import open_encoder, read_data, read_tests
from hybrid_qproj.experiments.grid import run_cells, unfinished
from hybrid_qproj.experiments.manifest import write_manifest
from hybrid_qproj.experiments.records import check_complete, read_records
from hybrid_qproj.experiments.report import write_report
from hybrid_qproj.experiments.selection import check_claim, choose_cell, choose_head, claim
from hybrid_qproj.experiments.summary import Row
from hybrid_qproj.experiments.toml import read_toml
from hybrid_qproj.experiments.width import find_width
from hybrid_qproj.loading import load
from hybrid_qproj.retrieval.measures import evaluate_run
from hybrid_qproj.retrieval.protocols import rank
from hybrid_qproj.retrieval.trec import write_run
from hybrid_qproj.sbert import Encoder, with_head
from hybrid_qproj.text.embeddings.table import EmbeddingTable
from hybrid_qproj.training.run import describe

MODEL = "model"
MEASURES = "measures.json"
LONGEST_NAME = 200
"""Bytes of a file's name, with room for what a temporary one has more."""
LARGE_TABLE = 60
"""Rows of results that a terminal still shows; larger tables are read in the report."""


def run_train(
    path: Path,
    out: Path,
    head: str | None = None,
    size: int | None = None,
    objective: str | None = None,
    seed: int = 0,
    ansaetze: Collection[str] = (),
    allow_paid: bool = False,
) -> Encoder:
    """Train one head of an experiment and save it on its encoder.

    Args:
        path: the experiment.
        out: folder of checkpoints, logs and the model; a run found there is continued.
        head: which head; None if the experiment has one.
        size: which size, likewise.
        objective: which objective, likewise.
        seed: of everything random.
        ansaetze: see `load_config`.
        allow_paid: whether the head's device may be one that can cost money.

    Returns:
        the model.

    Raises:
        PaidDeviceError: the head's device can cost money and is not allowed; seen before any work.
        DeviceUnavailableError: it is not usable; likewise.
        ConfigError: the configuration is not sound, the choice is not unique, or ``out`` holds another run.
        OutputError: ``out`` cannot be written.
        LockedError: another process writes there.
        DataError: the data cannot be read.
        TrainingError: the run cannot go on.
    """
    config = load_config(path, ansaetze)
    head, objective = choose_head(config, head, objective, seed)
    check_files(config)
    check_devices(config, [head], allow_paid)
    # Of several processes on one run, one writes.
    with output_folder(out, "a training run") if _is_main_process() else nullcontext():
        width, encoder = find_width(config)
        cell = choose_cell(config, width, head, size, objective, seed)
        check_claim(out, cell, config)
        console = make_console()
        with reading(console) as progress:
            data = read_data(config, progress, encoder)
        if _is_main_process():
            claim(out, cell, config)
        say(console, data.problems)
        torch.manual_seed(seed)  # dropout
        model = build_model(cell, config, data, allow_paid)
        console.print(
            f"{cell.name}: training {describe(model)}; seed {seed}, torch {torch.__version__}", highlight=False
        )
        losses = train_cell(model, cell, config, data, out, keep=True)
        whole = with_head(open_encoder(config), model.head) if isinstance(model[0], EmbeddingTable) else model
        if _is_main_process():
            with writing(out / MODEL):
                whole.save_pretrained(str(out / MODEL), create_model_card=False)
            console.print(
                f"loss {losses[0]:.4f} before training, {losses[1]:.4f} after, on the same examples; "
                f"model: {out / MODEL} (hybrid_qproj.load)",
                highlight=False,
            )
    return whole


def run_evaluate(
    model: str,
    path: Path,
    out: Path,
    ansaetze: Collection[str] = (),
    quantum_device: str | None = None,
    allow_paid: bool = False,
) -> dict[str, dict[str, float]]:
    """Evaluate a saved model on an experiment's tests.

    Args:
        model: folder of an encoder with a head.
        path: the experiment.
        out: folder for a TREC run a test and ``measures.json``; an earlier evaluation is replaced.
        ansaetze: see `load_config`; the model may name them too.
        quantum_device: device string that replaces the saved one.
        allow_paid: whether circuits may run on a device that can cost money.

    Returns:
        test -> measure -> mean over queries.

    Raises:
        ConfigError: the configuration is not sound, or the experiment has no tests.
        PaidDeviceError: the device can cost money and is not allowed; seen before any work.
        DeviceUnavailableError: ``quantum_device`` is not usable; likewise.
        OutputError: ``out`` cannot be written.
        LockedError: another process writes there.
        CheckpointError: the folder holds no model.
        DataError: the tests cannot be read.
    """
    config = load_config(path, ansaetze)
    if not config.test:
        raise ConfigError(f"{path} has no [[test]] to evaluate on")
    check_files(config)
    files = _run_files([test.name for test in config.test])
    with output_folder(out, "results of evaluate"):
        encoder = load(model, quantum_device=quantum_device, ansaetze=tuple(ansaetze), allow_paid=allow_paid)
        check_runs(encoder.head)
        tests = read_tests(config)
        check_tests(config.model_copy(update={"baselines": ()}), tests)
        check_runs_of(tests)
        console = make_console()
        means: dict[str, dict[str, float]] = {}
        per_query, runs = {}, {}
        table = Table(box=box.SIMPLE_HEAD)
        for column in ("test", "queries", *config.measures):
            table.add_column(column, justify="left" if column == "test" else "right")
        for test in tests:
            say(console, [f"{test.name}: {problem}" for problem in test.problems])
            run = runs[test.name] = rank(encoder, test, config.encoder.batch_size)
            per_query[test.name] = evaluate_run(test.qrels, run, config.measures, test.relevant)
            means[test.name] = {name: float(np.mean(list(v.values()))) for name, v in per_query[test.name].items()}
            table.add_row(test.name, str(len(test.queries)), *(f"{value:.4f}" for value in means[test.name].values()))
        found = json.dumps({"means": means, "queries": per_query}, indent=1).encode()
        written = {files[name]: partial(write_run, run=run, tag="hybrid-qproj") for name, run in runs.items()}
        write_together(out, {**written, MEASURES: found})
        console.print(table)
    return means


def run_compare(
    path: Path,
    out: Path,
    workers: int | None = None,
    ansaetze: Collection[str] = (),
    allow_paid: bool = False,
) -> list[Row]:
    """Run an experiment's grid, or what is missing of it, and write the report.

    Args:
        path: the experiment.
        out: folder of the results.
        workers: processes; one a core for frozen encoders, else one.
        ansaetze: see `load_config`.
        allow_paid: whether the heads' devices may be such that can cost money.

    Returns:
        the rows of the table.

    Raises:
        PaidDeviceError: a device can cost money and is not allowed; seen before any work.
        DeviceUnavailableError: a device is not usable; likewise.
        ConfigError: the configuration is not sound.
        OutputError: ``out`` cannot be written.
        LockedError: another process writes there.
        RecordError: a record that is there cannot be read.
        DataError: the data cannot be read.
        ExperimentError: cells failed; the others are recorded and will not run again.
    """
    config = load_config(path, ansaetze)
    if not config.test:
        raise ConfigError(f"{path} has no [[test]] to compare on")
    check_files(config)
    check_devices(config, config.heads, allow_paid)
    with output_folder(out, "results of compare"):
        width, encoder = find_width(config)
        everything = cells(config, width)
        todo = unfinished(everything, config, out)
        console = make_console()
        with reading(console) as progress:
            data = read_data(config, progress, encoder)
        say(console, data.problems)
        write_manifest(out, config, read_toml(path))
        frozen = all(cell.layers == 0 for cell in everything)
        workers = workers or (os.cpu_count() or 1 if frozen else 1)
        console.print(
            f"{config.name}: {len(everything)} cells, {len(everything) - len(todo)} of them done before",
            highlight=False,
            markup=False,
        )
        if todo:
            with running(console, len(todo)) as advance:
                run_cells(todo, config, data, out, workers, done=lambda _: advance(), allow_paid=allow_paid)
        wanted = {cell: digest(cell, config) for cell in everything}
        found = {r.cell: r for r in read_records(out) if wanted.get(r.cell) == r.digest}
        queries = {test.name: list(test.qrels) for test in data.tests}
        for record in found.values():
            check_complete(out, record, queries, config.measures)
        rows = write_report(out, config, [found[cell] for cell in everything])
        if len(rows) <= LARGE_TABLE:
            console.print(row_table(rows, config.measures[0]))
        console.print(f"Report: {out / 'results.md'}", highlight=False)
    return rows


def _run_files(tests: Sequence[str]) -> dict[str, str]:
    """Name of each test's run; refused where two would be one, or a file system has none so long."""
    files: dict[str, str] = {}
    for test in tests:
        name = "".join(c if c.isalnum() or c in "._-" else "-" for c in test) + ".run"
        if other := next((known for known, file in files.items() if file.casefold() == name.casefold()), None):
            raise ConfigError(f"tests {other!r} and {test!r} would both write {name}; rename one")
        if len(name.encode()) > LONGEST_NAME:
            raise ConfigError(f"test {test!r}: its run's name is longer than {LONGEST_NAME} bytes; shorten the test's")
        files[test] = name
    return files


def _is_main_process() -> bool:
    return int(os.environ.get("RANK", "0")) == 0
