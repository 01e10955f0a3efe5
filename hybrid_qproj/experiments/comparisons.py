"""Is a head better than a baseline, or lucky? Paired tests over queries, corrected for their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hybrid_qproj.experiments.summary import Key, Row
from hybrid_qproj.retrieval.significance import bootstrap_interval, holm, paired_randomization


@dataclass(frozen=True)
class Comparison:
    """A head against a baseline on the same queries.

    Args:
        head: what is compared.
        baseline: with what.
        test: test or pool.
        measure: the measure.
        difference: mean over queries of head minus baseline, each query a mean over seeds.
        low: lower end of the 95 % bootstrap interval over queries.
        high: its upper end.
        p: of the paired randomisation test, two-sided.
        corrected: the same after Holm's correction over all heads compared with this baseline on this test.
    """

    head: Key
    baseline: Key
    test: str
    measure: str
    difference: float
    low: float
    high: float
    p: float
    corrected: float


def compare(rows: Sequence[Row], baseline: str, test: str, measure: str, seed: int = 0) -> list[Comparison]:
    """Compare every row with the same row of a baseline head.

    Args:
        rows: the rows.
        baseline: name of the baseline head. Its row of the same size, objective, data and layers is taken; if it is
            not trained, its row of the same size and layers; if it has one size only, as a head that does not compress,
            the row of that size.
        test: test or pool.
        measure: the measure.
        seed: of the randomisation and the bootstrap.

    Returns:
        a comparison for each row of another head that has a counterpart.
    """
    known = {row.key: row for row in rows if row.key.head == baseline}
    pairs = [(row, other) for row in rows if row.key.head != baseline and (other := _counterpart(row.key, known))]
    found = []
    for row, other in pairs:
        mine, theirs = row.per_query[test][measure], other.per_query[test][measure]
        differences = np.array([mine[query] - theirs[query] for query in mine])
        low, high = bootstrap_interval(differences, seed=seed)
        p = paired_randomization(mine, theirs, seed)
        found.append((row.key, other.key, float(differences.mean()), low, high, p))
    corrected = holm([p for *_, p in found])
    return [
        Comparison(head, other, test, measure, difference, low, high, p, adjusted)
        for (head, other, difference, low, high, p), adjusted in zip(found, corrected, strict=True)
    ]


def _counterpart(key: Key, known: dict[Key, Row]) -> Row | None:
    one_size = len({other.k for other in known}) == 1
    candidates = [
        row
        for other, row in known.items()
        if (other.k == key.k or one_size)
        and (other[2:] == key[2:] or (not other.objective and other.layers == key.layers))
    ]
    return candidates[0] if candidates else None
