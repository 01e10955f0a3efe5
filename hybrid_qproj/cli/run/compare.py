"""The command compare: an experiment's grid and its report."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from rich.console import Console

from hybrid_qproj._util.outputs import output_folder
from hybrid_qproj.cli.progress import row_table
from hybrid_qproj.cli.run.grid import run_grid
from hybrid_qproj.cli.tables import make_console
from hybrid_qproj.experiments.checks import check_devices, check_files
from hybrid_qproj.experiments.config import ConfigError, load_config
from hybrid_qproj.experiments.records import Record
from hybrid_qproj.experiments.report import write_report
from hybrid_qproj.experiments.summary import Row, summarise
from hybrid_qproj.experiments.toml import read_toml

LARGE_TABLE = 60
"""Rows of results that a terminal still shows; larger tables are read in the report."""


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
        console = make_console()

        def early(records: Sequence[Record]) -> None:
            _show(console, summarise(records, config.pools), config.measures[0], f"{config.measures[0]}, first seeds")

        finished = run_grid(config, read_toml(path), out, console, workers, allow_paid, early)
        rows = write_report(out, config, finished.records)
        _show(console, rows, config.measures[0], config.measures[0])
        console.print(f"Report: {out / 'results.md'}", highlight=False)
    return rows


def _show(console: Console, rows: Sequence[Row], measure: str, title: str) -> None:
    if len(rows) <= LARGE_TABLE:
        console.print(row_table(rows, measure, title))
