"""What evaluate shows of a model on a collection: a row a system, and a line a measure where there is a baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from hybrid_qproj.cli.tables import make_console

if TYPE_CHECKING:
    from hybrid_qproj.cli.run.score import Scores


def print_scores(scores: Scores, model: str, baseline: str | None) -> None:
    """Print notes, the table of means, and the differences from the baseline.

    Args:
        scores: what was found.
        model: the model's name.
        baseline: the baseline's, if there is one.
    """
    console = make_console()
    for problem in scores.problems:
        console.print(f"note: {problem}", highlight=False, markup=False)
    table = Table(title=Text(f"{scores.dataset}, {scores.queries:,} queries"), box=box.SIMPLE_HEAD)
    table.add_column("")
    for measure in scores.means[model]:
        table.add_column(measure, justify="right")
    for name, means in scores.means.items():
        table.add_row(Text(name), *(f"{value:.4f}" for value in means.values()))
    console.print(table)
    if baseline is None:
        return
    against = Table(title=Text(f"{model} against {baseline}"), box=box.SIMPLE_HEAD)
    for column in ("measure", "difference", "95 % interval", "p (Holm)"):
        against.add_column(column, justify="left" if column == "measure" else "right")
    for each in scores.differences:
        interval = f"{each.low:+.4f} to {each.high:+.4f}"
        against.add_row(each.measure, f"{each.difference:+.4f}", interval, f"{each.p:.4f}")
    console.print(against)
    console.print("Paired randomisation test and bootstrap over queries; Holm's correction over the measures.")
