"""Recall of the vector stores of examples/stores: the table of docs/stores.md. python -m benchmarks.stores.

Nothing is drawn, so that the same versions give the same figures. Two minutes on two cores.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from examples.stores import duck, lance, qdrant, sqlite, sqlite_codes, sqlite_int8
from examples.stores.corpus import Figures, load_passages, measure
from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.experiments.tables import markdown

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"
EXAMPLES = (
    *(qdrant.EXAMPLE, *lance.EXAMPLES, duck.EXAMPLE),
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
    text = f"{passages:,} sentences of the Lee corpus, {queries} of its texts as queries.\n\n"
    return text + table([Figures(**row) for row in rows])


def table(rows: Sequence[Figures]) -> str:
    """A line a store and what it keeps."""
    header = ["store", "package", "kept of a document", "numbers", "bytes", "first stage"]
    header += ["recall@10, alone", "then by fidelity"]
    return markdown(
        header,
        [
            [
                *(row.store, row.version, row.kept, str(row.numbers), str(row.bytes)),
                *(f"{row.order}, {row.candidates} candidates", f"{row.first:.3f}", f"{row.second:.3f}"),
            ]
            for row in rows
        ],
    )


if __name__ == "__main__":
    main()
