"""What can be seen of an experiment before anything is computed: files, devices, heads, queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.devices.checks import check_installed, check_request
from hybrid_qproj.errors import HybridQprojError
from hybrid_qproj.experiments.config import ConfigError, ExperimentConfig
from hybrid_qproj.retrieval.protocols import TestSet

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


def check_devices(config: ExperimentConfig, heads: Sequence[str] | None = None) -> None:
    """Refuse heads on devices that cannot be used here; nothing is sent to one.

    Args:
        config: the experiment.
        heads: which; None for all.

    Raises:
        ConfigError: a device is unknown, not installed, or cannot do what its string asks for.
    """
    for name in config.heads if heads is None else heads:
        device = config.heads[name].args.get("device")
        if isinstance(device, str):
            try:
                spec = DeviceSpec.parse(device)
                check_installed(spec)
                check_request(spec)
            except HybridQprojError as error:
                raise ConfigError(f"head {name!r}: {error}") from error


def check_tests(config: ExperimentConfig, tests: Sequence[TestSet]) -> None:
    """Refuse collections that cannot give the numbers that are asked for.

    Args:
        config: the experiment.
        tests: what to evaluate on.

    Raises:
        ConfigError: no document is as relevant as a measure wants, or too few queries for the tests of significance.
    """
    binary = [measure for measure in config.measures if not measure.startswith(GRADED)]
    for test in tests:
        highest = max((grade for grades in test.qrels.values() for grade in grades.values()), default=0)
        if binary and highest < test.relevant:
            raise ConfigError(
                f"test {test.name!r}: relevant = {test.relevant}, but no judgement has a grade above {highest}, so "
                f"that {', '.join(binary)} would be 0 whatever the head; lower relevant, or leave these measures out"
            )
    counts = {test.name: len(test.qrels) for test in tests}
    wanted = {name: sum(counts[test] for test in members) for name, members in config.pools.items()} or counts
    for name, queries in wanted.items():
        if config.baselines and queries < LEAST_QUERIES:
            raise ConfigError(
                f"{name!r} has {queries} judged query; comparing with baselines needs at least {LEAST_QUERIES}: leave "
                "baselines out, or take more queries"
            )
