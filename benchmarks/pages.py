"""Blocks of the pages that are written from docs/results, and from the package: no figure there is typed by hand.

Run ``python -m benchmarks.pages`` after ``make results``; ``python -m benchmarks.pages demo-report`` keeps the figures
of that demo first (``make pages`` makes one). A test compares the pages with the results.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import hybrid_qproj
from benchmarks import pypi
from hybrid_qproj import QuantumProjection
from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.heads.linear import (
    ClassicalProjection,
    PCAProjection,
    RandomProjection,
    Truncation,
    stored_numbers,
)

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
PAGES = (ROOT / "README.md", ROOT / "docs" / "limits.md", ROOT / "docs" / "api.md")
"""Where blocks stand."""
SIZES = (384, 256, 128, 64, 32)
"""Columns of the table of TREC."""
TABLE = "mpnet-main-1"
"""Of docs/results: re-ranking, both years; baseline a is the full embedding, b the linear head, c PCA."""
WIDTH, COUNTED = 768, 256
"""Numbers of an embedding, and of the output of the heads whose numbers are counted."""
LEVEL = 128
"""Least numbers with which no head differs significantly from the full embedding."""
LINEAR, PUBLISHED = "linear + tanh", "quantum u_cu chain (published)"
OURS = ("quantum u_cu tree", "quantum rotor tree", "quantum treelet, fitted", "quantum, 6,144 fitted angles")
TREC = (
    (f"full embedding, {WIDTH} numbers", "full", "-", None),
    ("truncation", "truncation", "-", Truncation(WIDTH, COUNTED)),
    ("PCA", "PCA", "-", PCAProjection(WIDTH, COUNTED)),
    ("random projection", "random projection", "-", RandomProjection(WIDTH, COUNTED)),
    (LINEAR, "linear", "distillation", ClassicalProjection(WIDTH, COUNTED)),
    (PUBLISHED, "u_cu chain (published)", "distillation", QuantumProjection.paper(WIDTH, COUNTED)),
    (OURS[0], "u_cu tree", "distillation", QuantumProjection(WIDTH, COUNTED, plan="tree", scale=2.0)),
    (OURS[1], "rotor tree", "distillation", QuantumProjection(WIDTH, COUNTED, "rotor", plan="tree", scale=2.0)),
    (OURS[2], "treelet", "-", QuantumProjection(WIDTH, COUNTED, "rotor", plan="tree", scale=2.0)),
    (OURS[3], "6,144 angles", "-", None),
)
"""Name in README; head and objective in the table; a head of as many numbers, None where all sizes have the same."""


class Cell(NamedTuple):
    """A cell of a table of results.

    Attributes:
        value: NDCG@10, a mean.
        marks: baselines from which it differs significantly, with the sign of the difference, such as ``"a-"``.
    """

    value: float
    marks: tuple[str, ...]


def read_table(name: str) -> list[dict[str, str]]:
    """Rows of the first table of a file in docs/results.

    Args:
        name: of the file, without its suffix.

    Returns:
        column -> text, a row each.
    """
    lines = [line for line in (RESULTS / f"{name}.md").read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(header, row, strict=True)) for row in rows]


def read_cell(text: str) -> Cell | None:
    """A mean and its marks, of ``0.6101 ± 0.0084 a-``; None for an empty cell."""
    if not text:
        return None
    return Cell(float(text.split(maxsplit=1)[0]), tuple(re.findall(r"\b[a-z][+-]", text)))


def row_of(table: str, head: str, objective: str = "-") -> dict[str, str]:
    """The row of a head that was trained for an objective."""
    (row,) = (row for row in read_table(table) if (row["head"], row.get("objective", "-")) == (head, objective))
    return row


def demo() -> dict[str, Any]:
    """What the demo wrote: rows, sentences, versions."""
    return json.loads((RESULTS / "demo.json").read_text(encoding="utf-8"))


def trec_table() -> str:
    """NDCG@10 on both years of TREC Deep Learning, re-ranking, at the widths of the publication."""
    lines = [
        f"| head | numbers stored at k = {COUNTED} | {' | '.join(f'k = {k}' for k in SIZES)} |",
        f"|---|--:|{'--:|' * len(SIZES)}",
    ]
    for name, head, objective, counted in TREC:
        row = row_of(TABLE, head, objective)
        cells = [read_cell(row.get(f"k = {k}", "")) for k in SIZES]
        if head == "full":
            # One value, under the first size, where the table of results has it.
            cells = [next(cell for cell in cells if cell)] * len(SIZES)
        stored = row["stored"] if counted is None else f"{stored_numbers(counted):,}"
        values = " | ".join("" if cell is None else f"{cell.value:.3f}" for cell in cells)
        lines.append(f"| {name} | {stored} | {values} |")
    return "\n".join(lines)


def lee_table() -> str:
    """NDCG@10 on Lee, as the demo has it."""
    rows = demo()["rows"]
    full, sizes = rows[0], list(dict.fromkeys(row["k"] for row in rows[1:]))
    lines = [
        f"| head | numbers stored | {' | '.join(f'k = {k}' for k in sizes)} |",
        f"|---|--:|{'--:|' * len(sizes)}",
        f"| {full['head']}, {full['k']} numbers | | {' | '.join([_three(full)] * len(sizes))} |",
    ]
    for head in dict.fromkeys(row["head"] for row in rows[1:]):
        mine = {row["k"]: row for row in rows[1:] if row["head"] == head}
        stored = " / ".join(f"{mine[k]['stored']:,}" for k in sizes)
        lines.append(f"| {head} | {stored} | {' | '.join(_three(mine[k]) for k in sizes)} |")
    return "\n".join(lines)


def _three(row: Mapping[str, Any]) -> str:
    return f"{row['ndcg']:.3f}"


def lee_sentences() -> str:
    """Where the demo's quantum head wins and loses, as its tests say."""
    shown = [
        re.sub(r"; does not differ significantly from .*", "; no other difference is significant.", said)
        for said in demo()["verdicts"]
    ]
    shown = [
        re.sub(r": (.*) does not differ significantly from .*", r": \1 differs significantly from none.", s)
        for s in shown
    ]
    return "\n".join(f"- {sentence}" for sentence in shown)


def full(table: str) -> float:
    """NDCG@10 of the full embedding in a table of docs/results."""
    return next(cell.value for cell in map(read_cell, list(row_of(table, "full").values())[3:]) if cell)


def losses(k: int) -> dict[str, tuple[float, bool]]:
    """What each head of the table of TREC loses against the full embedding, and whether that is significant.

    Args:
        k: numbers kept.

    Returns:
        head -> difference of NDCG@10, significance; heads that were not measured at k are left out.
    """
    found = {}
    for name, head, objective, _ in TREC[1:]:
        cell = read_cell(row_of(TABLE, head, objective).get(f"k = {k}", ""))
        if cell is not None:
            found[name] = full(TABLE) - cell.value, "a-" in cell.marks
    return found


def reading() -> str:
    """What the table of TREC says.

    Returns:
        sentences.

    Raises:
        ValueError: the results no longer say so.
    """
    least, level = min(SIZES), [k for k in SIZES if not any(worse for _, worse in losses(k).values())]
    smallest = losses(least)
    if level != [k for k in SIZES if k >= LEVEL] or not all(worse for _, worse in smallest.values()):
        raise ValueError(f"docs/results/{TABLE}.md has changed: reword benchmarks.pages.reading")
    stored = {name: stored_numbers(head) for name, _, _, head in TREC if head is not None}
    ratios = " and ".join(f"{stored[LINEAR] / stored[name]:.0f}" for name in (PUBLISHED, OURS[1]))
    seen = min(lost for k in SIZES for lost, worse in losses(k).values() if worse)
    return (
        f"With {LEVEL} numbers and more no head here differs significantly from the full embedding: not the published\n"
        f"and the rotor one, at {COUNTED} with {ratios} times fewer parameters than the linear head, and **not\n"
        f"truncation or a random projection, which learn nothing**. With {least} each is significantly below it. The\n"
        f"smallest significant difference here is {seen:.3f}."
    )


def names() -> str:
    """The package's public names, each with the first line of its docstring.

    Raises:
        ValueError: a public name has no docstring.
    """
    lines = ["| name | what it is |", "|---|---|"]
    for name in sorted(hybrid_qproj.__all__, key=str.lower):
        thing = getattr(hybrid_qproj, name)
        said = f"version of the package, such as `{thing}`" if isinstance(thing, str) else inspect.getdoc(thing)
        if not said:
            raise ValueError(f"hybrid_qproj.{name} is public and has no docstring: write one")
        first = said.split("\n\n")[0].replace("\n", " ").replace("``", "`").replace("|", "\\|")
        lines.append(f"| `{name}` | {first.rstrip('.')} |")
    return "\n".join(lines)


BLOCKS: Mapping[str, Callable[[], str]] = {"trec": trec_table, "reading": reading, "names": names}


def render(page: str) -> str:
    """A page with its blocks as the results have them.

    Args:
        page: Markdown; a block stands between ``<!-- results: NAME -->`` and ``<!-- end -->``.

    Returns:
        the page.
    """
    return re.sub(
        r"(<!-- results: ([\w-]+) -->\n).*?(\n<!-- end -->)",
        lambda match: f"{match[1]}\n{BLOCKS[match[2]]()}\n{match[3]}",
        page,
        flags=re.DOTALL,
    )


def keep_demo(report: Path) -> None:
    """Take a demo's figures into docs/results, and its plot into docs/images."""
    found = json.loads((report / "report.json").read_text(encoding="utf-8"))
    found["rows"] = [{key: value for key, value in row.items() if key != "per_query"} for row in found["rows"]]
    write_atomically(RESULTS / "demo.json", (json.dumps(found, indent=1) + "\n").encode())
    shutil.copy(report / "comparison" / "quality.svg", ROOT / "docs" / "images" / "demo.svg")


def demo_page() -> str:
    """The demo's table and what its tests say, as docs/results/demo.md."""
    versions = ", ".join(f"{name} {number}" for name, number in demo()["versions"].items())
    return f"{lee_table()}\n\n{lee_sentences()}\n\nVersions: {versions}.\n"


def main() -> None:
    """Keep a demo's figures if one is given, then write the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo", nargs="?", type=Path, help="folder of a demo's report")
    report = parser.parse_args().demo
    if report is not None:
        keep_demo(report)
    write_atomically(RESULTS / "demo.md", demo_page().encode())
    for page in PAGES:
        write_atomically(page, render(page.read_text(encoding="utf-8")).encode())
    write_atomically(pypi.PAGE, pypi.pypi_page((ROOT / "README.md").read_text(encoding="utf-8")).encode())


if __name__ == "__main__":
    main()
