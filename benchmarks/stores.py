"""Recall of the vector stores of examples/stores: the table of docs/stores.md. python -m benchmarks.stores.

Only LanceDB's indexes draw something: their figures are means of several. Two minutes on two cores.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from examples.stores import duck, lance, lance_index, qdrant, sqlite, sqlite_codes, sqlite_int8
from examples.stores.corpus import Figures, load_passages, measure
from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.experiments.tables import markdown

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"
EXAMPLES = (
    *(qdrant.EXAMPLE, *lance.EXAMPLES, *lance_index.EXAMPLES, duck.EXAMPLE),
    *(sqlite.EXAMPLE, sqlite_int8.EXAMPLE, sqlite_codes.EXAMPLE),
)


def main() -> None:
    """Run all on the same passages; write the table, and the figures as JSON."""
    corpus = load_passages()
    rows = []
    for example in EXAMPLES:
        rows.append(measure(example, corpus))
        print(*rows[-1], sep=", ", flush=True)
    figures = {
        "passages": len(corpus.ids),
        "queries": len(corpus.queries),
        "rows": [row._asdict() for row in rows],
    }
    write_atomically(RESULTS / "stores.json", (json.dumps(figures, indent=1) + "\n").encode())
    write_atomically(RESULTS / "stores.md", page(**figures).encode())


def page(passages: int, queries: int, rows: Sequence[dict[str, Any]]) -> str:
    """The figures as Markdown."""
    figures = [Figures(**row) for row in rows]
    header = ["store", "package", "kept of a document", "numbers", "bytes", "first stage"]
    header += ["recall@10, alone", "then by fidelity"]
    lines = [
        [
            *(row.store, row.version, row.kept, str(row.numbers), str(row.bytes)),
            *(f"{row.order}, {row.candidates} candidates", f"{row.first:.3f}", second(row)),
        ]
        for row in figures
    ]
    runs = max(row.runs for row in figures)
    text = f"{passages:,} sentences of the Lee corpus, {queries} of its texts as queries"
    return f"{text}; ±: standard deviation over {runs} runs.\n\n{markdown(header, lines)}"


def second(row: Figures) -> str:
    """Recall after both stages, and how it varies where it does."""
    return f"{row.second:.3f}" + (f" ± {row.deviation:.3f}" if row.runs > 1 else "")


if __name__ == "__main__":
    main()
