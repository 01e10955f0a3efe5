"""The demo's report: its table in words, the circuit of a block, and the trained model."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybrid_qproj._util.files import writing
from hybrid_qproj._util.outputs import write_together
from hybrid_qproj.demo.experiment import QUANTUM
from hybrid_qproj.demo.table import Row, verdicts
from hybrid_qproj.experiments.manifest import versions
from hybrid_qproj.viz.circuits import block_picture, to_figure
from hybrid_qproj.viz.image import image_bytes

if TYPE_CHECKING:
    from hybrid_qproj.sbert import Encoder

COMPARISON, CODES = "comparison", "codes"
"""Folders of what `compare` writes of the two experiments, in that of the report."""
PACKAGES = ("hybrid-qproj", "pennylane", "torch", "sentence-transformers", "transformers", "gensim")
"""On whose versions the figures depend."""


def markdown_table(rows: Sequence[Row]) -> str:
    """The table as Markdown."""
    lines = [
        "| head | k | parameters | stored | bytes/doc | seeds | NDCG@10 | sd | difference |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        sd = f"{row.sd:.4f}" if row.seeds > 1 else ""
        lines.append(
            f"| {row.head} | {row.k} | {row.parameters:,} | {row.stored:,} | {row.bytes_per_document:,} | "
            f"{row.seeds} | {row.ndcg:.4f} | {sd} | {row.difference:+.4f} |"
        )
    return "\n".join(lines)


def codes_markdown(rows: Sequence[Row]) -> str:
    """The table of codes as Markdown: sizes are bytes of a document."""
    lines = ["| head | bytes | stored | NDCG@10 | sd | difference |", "|---|--:|--:|--:|--:|--:|"]
    for row in rows:
        sd = f"{row.sd:.4f}" if row.seeds > 1 else ""
        lines.append(f"| {row.head} | {row.k:,} | {row.stored:,} | {row.ndcg:.4f} | {sd} | {row.difference:+.4f} |")
    return "\n".join(lines)


def write_report(folder: Path, rows: Sequence[Row], codes: Sequence[Row], model: Encoder, seeds: int) -> None:
    """Write the report.

    Args:
        folder: is there.
        rows: the table.
        codes: the table of codes.
        model: the encoder with the trained quantum head, to be saved.
        seeds: number of seeds, for the text.
    """
    said = verdicts(rows)
    found = {"python": platform.python_version(), **versions(PACKAGES)}
    text = f"""# Heads on the Lee corpus

Embeddings: all-MiniLM-L6-v2, mean pooling, 256 tokens, not normalised. Each of the 50 judged documents ranks the
49 others; gains are the human similarities times 100. Trainable heads learnt from the 300 background documents
without labels (similarity distillation), seeds 0 to {seeds - 1}; sd is over seeds.

{markdown_table(rows)}

`parameters` are trained; `stored` counts all numbers a head needs at inference, fitted or drawn ones included.

## What the table says

Paired randomisation tests over the 50 queries (values averaged over seeds), Holm-corrected over all comparisons.
Settings of the heads were tuned on this small corpus; treat it as a demonstration, not as evidence.

{chr(10).join(f"- {sentence}" for sentence in said)}

![NDCG@10 against stored numbers]({COMPARISON}/quality.svg)

![The circuit of a block](circuit.svg)

## Bytes a document

Documents as codes, queries in float, at equal bytes. Heads and codecs are fitted to nine tenths of the background
documents, without labels. `stored` counts what both need to make and to read codes. Few bits on many numbers beat
many bits on few; how much of that is a head's, the embedding's own row says, which none has changed.

{codes_markdown(codes)}

![NDCG@10 against bytes]({CODES}/bytes.svg)

The model in `model/` is "{QUANTUM}", k = {model.head.out_features}, seed 0: `hybrid_qproj.load("model")`.

What `compare` writes of both experiments (each run, all figures, the configuration) is in `{COMPARISON}/` and
`{CODES}/`.

Versions: {", ".join(f"{name} {number}" for name, number in found.items())}.
"""
    record: dict[str, Any] = {
        "versions": found,
        "seeds": list(range(seeds)),
        "rows": [asdict(row) for row in rows],
        "verdicts": said,
        "codes": [asdict(row) for row in codes],
    }
    with writing(folder / "model"):
        model.save_pretrained(str(folder / "model"))
    circuit = to_figure(block_picture("u_cu"))
    pictures = {f"circuit.{suffix}": image_bytes(circuit, suffix, dpi=160, tight=True) for suffix in ("svg", "pdf")}
    write_together(
        folder, {**pictures, "report.json": json.dumps(record, indent=1).encode(), "report.md": text.encode()}
    )
