"""Recall of the vector stores of examples/stores: the table of docs/stores.md. python -m benchmarks.stores.

Nothing is drawn, so that the same versions give the same figures. Two minutes on two cores.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

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
    write_atomically(RESULTS / "stores.md", table(rows).encode())


def table(rows: Sequence[Figures]) -> str:
    """The figures as Markdown."""
    header = ["store", "package", "kept of a passage", "numbers", "bytes", "first stage", "alone", "then by fidelity"]
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
