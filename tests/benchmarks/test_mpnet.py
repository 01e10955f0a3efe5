"""Goals at the publication's widths: who is compared with whom, and what counts as met."""

from __future__ import annotations

import pytest

for _module in ("datasets", "sentence_transformers", "pydantic", "pytrec_eval", "matplotlib"):
    pytest.importorskip(_module, reason="needs the extra 'train'")

from benchmarks.mpnet import MEASURE, goals  # noqa: E402
from hybrid_qproj.experiments.summary import Key, Row, Score  # noqa: E402


def row(head, k, value, objective="", stored=513, queries=40):
    per_query = {str(q): value + 0.001 * (q % 3) for q in range(queries)}
    mean = sum(per_query.values()) / queries
    return Row(
        Key(head, k, objective, None, 0),
        10,
        0,
        stored,
        4 * k,
        {"pool": {MEASURE: Score(mean, None)}},
        {"pool": {MEASURE: per_query}},
    )


def met(rows):
    table = [line.strip("|").split("|") for line in goals(rows, ["pool"]).splitlines()[2:]]
    return {cells[0].strip(): cells[-1].strip() for cells in table}


def test_each_goal_by_its_own_rule():
    """Below linear by a little is a miss; below the full embedding by a little is none, by much is one."""
    rows = [
        row("full", 768, 0.65, stored=0),
        row("linear", 256, 0.64, "distillation", stored=196_864),
        row("linear", 256, 0.66, "labels", stored=196_864),
        row("PCA", 128, 0.63),
        row("treelet", 128, 0.64),
        row("treelet", 256, 0.655),
        row("rotor tree", 256, 0.64001, "distillation"),
        row("u_cu tree", 256, 0.9, "distillation", stored=10_000),
    ]
    found = met(rows)
    assert found["treelet, k = 256: not below linear"] == "no"
    assert found["treelet, k = 256: not significantly below full"] == "yes"
    assert found["treelet, k = 128: above PCA"] == "yes"
    assert found["rotor tree, k = 256: not below linear"] == "yes"
    assert found["rotor tree, k = 256: not significantly below full"] == "no"
    # Too large a head is none of those that are meant.
    assert not any("u_cu" in goal for goal in found)
