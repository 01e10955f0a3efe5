"""The command evaluate: a saved model on an experiment's tests."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from rich import box
from rich.table import Table

from hybrid_qproj._util.outputs import output_folder, write_together
from hybrid_qproj.cli.progress import say
from hybrid_qproj.cli.tables import make_console
from hybrid_qproj.estimate import check_runs
from hybrid_qproj.experiments.checks import check_files, check_runs_of, check_tests
from hybrid_qproj.experiments.config import ConfigError, load_config
from hybrid_qproj.experiments.data import read_tests
from hybrid_qproj.loading import load
from hybrid_qproj.retrieval.measures import evaluate_run
from hybrid_qproj.retrieval.protocols import rank
from hybrid_qproj.retrieval.trec import write_run

MEASURES = "measures.json"
LONGEST_NAME = 200
"""Bytes of a file's name, with room for what a temporary one has more."""


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
            means[test.name] = means_of(per_query[test.name])
            table.add_row(test.name, str(len(test.queries)), *(f"{value:.4f}" for value in means[test.name].values()))
        found = means_and_queries(per_query)
        written = {files[name]: partial(write_run, run=run, tag="hybrid-qproj") for name, run in runs.items()}
        write_together(out, {**written, MEASURES: found})
        console.print(table)
    return means


def means_of(values: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Mean over queries of each measure.

    Args:
        values: measure -> query id -> value.
    """
    return {measure: float(np.mean(list(queries.values()))) for measure, queries in values.items()}


def means_and_queries(values: Mapping[str, Mapping[str, Mapping[str, float]]]) -> bytes:
    """The file of measures.

    Args:
        values: test -> measure -> query id -> value.

    Returns:
        JSON: the means, and every query's values.
    """
    means = {test: means_of(found) for test, found in values.items()}
    return json.dumps({"means": means, "queries": values}, indent=1).encode()


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
