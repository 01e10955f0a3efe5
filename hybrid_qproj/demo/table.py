"""The demo's table and what it says, in numbers and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hybrid_qproj.demo.experiment import Outcome, mean_over_seeds
from hybrid_qproj.demo.heads import ENTRIES, QUANTUM
from hybrid_qproj.retrieval.significance import holm, paired_randomization

BYTES_PER_NUMBER = 4  # float32
ALPHA = 0.05


@dataclass(frozen=True)
class Row:
    """One head of one size.

    Args:
        head: its name.
        k: numbers a document.
        parameters: trained parameters.
        stored: numbers stored, fitted or drawn ones included.
        bytes_per_document: of the compressed document.
        seeds: number of seeds.
        ndcg: mean NDCG@10 over queries and seeds.
        sd: standard deviation of the mean over seeds; 0 with one seed.
        difference: from the uncompressed embedding.
        per_query: NDCG@10 of each query, mean over seeds.
    """

    head: str
    k: int
    parameters: int
    stored: int
    bytes_per_document: int
    seeds: int
    ndcg: float
    sd: float
    difference: float
    per_query: Mapping[str, float]


def make_rows(outcomes: Sequence[Outcome], full: Mapping[str, float], width: int) -> list[Row]:
    """The table: the uncompressed embedding, then every head of every size.

    Args:
        outcomes: of all cells.
        full: NDCG@10 of the uncompressed embedding, per query.
        width: d of the uncompressed embedding.

    Returns:
        the rows.
    """
    reference = float(np.mean(list(full.values())))
    rows = [Row("full embedding", width, 0, 0, BYTES_PER_NUMBER * width, 1, reference, 0.0, 0.0, full)]
    for k in dict.fromkeys(outcome.cell.k for outcome in outcomes):
        for name in ENTRIES:
            mine = [o for o in outcomes if (o.cell.name, o.cell.k) == (name, k)]
            means = [float(np.mean(list(o.ndcg.values()))) for o in mine]
            sd = float(np.std(means, ddof=1)) if len(means) > 1 else 0.0
            rows.append(
                Row(
                    name,
                    k,
                    mine[0].parameters,
                    mine[0].stored,
                    BYTES_PER_NUMBER * k,
                    len(mine),
                    float(np.mean(means)),
                    sd,
                    float(np.mean(means)) - reference,
                    mean_over_seeds(mine),
                )
            )
    return rows


def verdicts(rows: Sequence[Row]) -> list[str]:
    """Where the quantum head wins and loses against each other head, size by size.

    Paired randomisation tests over queries (values averaged over seeds), Holm-corrected over all comparisons.

    Args:
        rows: the table.

    Returns:
        one sentence a size.
    """
    pairs = [
        (row, other)
        for row in rows
        if row.head == QUANTUM
        for other in rows
        if other.k == row.k and other.head != QUANTUM
    ]
    p_values = holm([paired_randomization(row.per_query, other.per_query) for row, other in pairs])
    sentences = []
    for k in dict.fromkeys(row.k for row, _ in pairs):
        groups: dict[str, list[str]] = {"loses to": [], "beats": [], "does not differ significantly from": []}
        for (row, other), p in zip(pairs, p_values, strict=True):
            if row.k == k:
                verdict = "does not differ significantly from"
                if p < ALPHA:
                    verdict = "beats" if row.ndcg > other.ndcg else "loses to"
                groups[verdict].append(f"{other.head} ({row.ndcg - other.ndcg:+.4f}, p = {p:.3f})")
        said = "; ".join(f"{verdict} {', '.join(others)}" for verdict, others in groups.items() if others)
        sentences.append(f"k = {k}: {QUANTUM} {said}.")
    return sentences
