"""The demo's table and what it says, in numbers and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hybrid_qproj.demo.experiment import FULL, QUANTUM
from hybrid_qproj.experiments import summary
from hybrid_qproj.retrieval.significance import holm, paired_randomization

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


def make_rows(rows: Sequence[summary.Row]) -> list[Row]:
    """The table: the uncompressed embedding, then every head of every size, the largest size first.

    Args:
        rows: of the experiment, which has one test and one measure.

    Returns:
        the rows.
    """
    ((test, measures),) = rows[0].scores.items()
    (measure,) = measures
    reference = next(row.scores[test][measure].mean for row in rows if row.key.head == FULL)
    return [
        Row(
            row.key.head,
            row.key.k,
            row.parameters,
            row.stored,
            row.bytes_per_document,
            row.seeds,
            row.scores[test][measure].mean,
            row.scores[test][measure].sd or 0.0,
            row.scores[test][measure].mean - reference,
            row.per_query[test][measure],
        )
        for row in sorted(rows, key=lambda row: row.key.k, reverse=True)
    ]


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
