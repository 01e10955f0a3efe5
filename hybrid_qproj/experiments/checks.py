"""What can be seen of an experiment before anything is computed: files, devices, heads, queries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hybrid_qproj.devices import DeviceSpec, DeviceSpecError, DeviceUnavailableError, check_usable
from hybrid_qproj.devices.checks import check_known
from hybrid_qproj.devices.cost import check_allowed
from hybrid_qproj.experiments.config import ConfigError, ExperimentConfig
from hybrid_qproj.retrieval.protocols import TestSet
from hybrid_qproj.retrieval.rules import check_columns

LEAST_QUERIES = 2
"""For an interval, or a test, over queries."""
GRADED = "NDCG"
"""Begins the names of measures that take grades as they are; all others count what is relevant."""


def check_files(config: ExperimentConfig) -> None:
    """Refuse an experiment whose files are not all there; none is read.

    Args:
        config: the experiment.

    Raises:
        ConfigError: a file is missing, or is none; the message names the key.
    """
    for key, path in _paths(config, ()):
        if key == ("encoder", "cache"):
            if path.exists() and not path.is_dir():
                raise ConfigError(f"{'.'.join(key)} = {str(path)!r} is a file; expected a folder")
        elif not path.exists():
            raise ConfigError(f"{'.'.join(key)}: there is no file {str(path)!r}")
        elif not path.is_file() and key[-1] != "dataset":
            raise ConfigError(f"{'.'.join(key)}: {str(path)!r} is no file")


def _paths(table: Any, key: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Path]]:
    if isinstance(table, Path):
        yield key, table
    elif isinstance(table, BaseModel):
        for name in type(table).model_fields:
            yield from _paths(getattr(table, name), (*key, name))
    elif isinstance(table, tuple):
        for number, part in enumerate(table):
            yield from _paths(part, (*key, str(number)))


def check_devices(config: ExperimentConfig, names: Iterable[str], allow_paid: bool) -> None:
    """Refuse, before data are read, devices that would be refused when heads run there; none is built or contacted.

    Args:
        config: the experiment.
        names: heads that are to run.
        allow_paid: whether devices may be such that can cost money.

    Raises:
        ConfigError: a device is unknown, not installed, or cannot do what its string asks for.
        PaidDeviceError: it can cost money and is not allowed.
    """
    for name in names:
        chosen = config.heads[name]
        device = chosen.args.get("device") if chosen.head_class.has_circuits else None
        if device is None:
            continue
        try:
            spec = DeviceSpec.parse(device)
            check_known(spec.name)
            shots = f" of {spec.shots:,} shots" if spec.shots else ""
            check_allowed(spec, allow_paid, f"Head {name!r}: nine circuits a block{shots} were to run at every step")
            check_usable(spec)
        except (DeviceSpecError, DeviceUnavailableError) as error:
            raise ConfigError(f"head {name!r}: {error}") from error


def check_runs_of(tests: Iterable[TestSet]) -> None:
    """Refuse, before anything is encoded, ids that no TREC run can hold.

    Args:
        tests: whose runs are to be written.

    Raises:
        DataError: an id has white space in it.
    """
    for test in tests:
        for query in test.queries:
            check_columns(query, f"test {test.name!r}, a query's id")
        for name in test.texts if test.candidates is not None else (document.id for document in test.documents):
            check_columns(name, f"test {test.name!r}, a document's id")


def check_grades(test: TestSet, measures: Sequence[str]) -> None:
    """Refuse measures that would be 0 whatever is ranked.

    Args:
        test: what to evaluate on.
        measures: their names.

    Raises:
        ConfigError: no document is as relevant as a measure wants.
    """
    binary = [measure for measure in measures if not measure.startswith(GRADED)]
    highest = max((grade for grades in test.qrels.values() for grade in grades.values()), default=0)
    if binary and highest < test.relevant:
        raise ConfigError(
            f"test {test.name!r}: relevant = {test.relevant}, but no judgement has a grade above {highest}, so "
            f"that {', '.join(binary)} would be 0 whatever the head; lower relevant, or leave these measures out"
        )


def check_tests(config: ExperimentConfig, tests: Sequence[TestSet]) -> None:
    """Refuse collections that cannot give the numbers that are asked for.

    Args:
        config: the experiment.
        tests: what to evaluate on.

    Raises:
        ConfigError: no document is as relevant as a measure wants, or too few queries for the tests of significance.
    """
    for test in tests:
        check_grades(test, config.measures)
    counts = {test.name: len(test.qrels) for test in tests}
    wanted = {name: sum(counts[test] for test in members) for name, members in config.pools.items()} or counts
    for name, queries in wanted.items():
        if config.baselines and queries < LEAST_QUERIES:
            raise ConfigError(
                f"{name!r} has {queries} judged query; comparing with baselines needs at least {LEAST_QUERIES}: leave "
                "baselines out, or take more queries"
            )
