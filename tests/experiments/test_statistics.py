"""From records to rows, comparisons, tables and figures."""

from __future__ import annotations

import csv
import dataclasses
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

for _module in ("pydantic", "matplotlib"):
    pytest.importorskip(_module, reason="needs the extra 'train'")

from hybrid_qproj.experiments.comparisons import compare  # noqa: E402
from hybrid_qproj.experiments.figures import distributions, points, saturation  # noqa: E402
from hybrid_qproj.experiments.records import (  # noqa: E402
    Cell,
    Histogram,
    Record,
    RecordError,
    read_record,
    read_records,
    write_record,
)
from hybrid_qproj.experiments.summary import pareto_front, summarise  # noqa: E402
from hybrid_qproj.experiments.tables import (  # noqa: E402
    comparisons_to_csv,
    comparisons_to_markdown,
    rows_to_csv,
    rows_to_markdown,
    sizes_to_markdown,
    to_json,
)
from hybrid_qproj.viz.results import (  # noqa: E402
    learning_curves,
    quality_against_parameters,
    similarity_histograms,
)

QUERIES = [f"q{i}" for i in range(40)]


def record(head="linear", k=8, objective="labels", queries=5, seed=0, shift=0.0, tests=("A", "B"), stored=100):
    """A record whose values are drawn, the same for every head but for the shift."""
    measures = {}
    for number, test in enumerate(tests):
        values = np.random.default_rng(100 * number + seed).uniform(0.2, 0.8, len(QUERIES)) + shift
        measures[test] = {"NDCG@10": dict(zip(QUERIES, values.tolist(), strict=True))}
    shape = Histogram([0.0, 0.5, 1.0], [1, 3], [5, 1], "fidelity")
    cell = Cell(head, k, objective, queries, 0, seed)
    return Record(cell, "d", stored, stored, 4 * k, (2.0, 1.0), measures, dict.fromkeys(tests, shape))


RECORDS = [
    record("full", 16, "", None, stored=0),
    *(record("linear", seed=s, queries=q) for s in range(3) for q in (5, 10)),
    *(record("quantum", seed=s, queries=q, shift=0.05, stored=10) for s in range(3) for q in (5, 10)),
]


def test_records_survive_a_round_trip(tmp_path):
    """Exactly, and in the order of their names."""
    for one in RECORDS:
        write_record(tmp_path, one)
    found = read_records(tmp_path)
    assert sorted(found, key=lambda r: r.cell.name) == found
    assert {r.cell: r for r in found} == {r.cell: r for r in RECORDS}


@given(st.text(max_size=10), st.sampled_from([None, 5, 0.25]), st.sampled_from([0, 4, "all"]))
def test_names_suit_file_systems(head, queries, layers):
    """Whatever a head is called."""
    name = Cell(head, 8, "both/x", queries, layers, 1).name
    assert not set(name) & set('/\\:*?"<>| ')


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cell": {}}'])
def test_damaged_records(tmp_path, content):
    """Named, with what to do."""
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(RecordError, match=r"x.json is no whole record .*; delete it"):
        read_record(tmp_path / "x.json")


def test_rows_by_hand():
    """Mean over seeds of means over queries, its deviation, and a pool in which each query counts once."""
    rows = summarise(RECORDS, {"both": ["A", "B"]})
    assert [(row.key.head, row.key.queries, row.seeds) for row in rows] == [
        ("full", None, 1),
        ("linear", 5, 3),
        ("linear", 10, 3),
        ("quantum", 5, 3),
        ("quantum", 10, 3),
    ]
    means = [np.mean(list(record(seed=s).measures["A"]["NDCG@10"].values())) for s in range(3)]
    score = rows[1].scores["A"]["NDCG@10"]
    assert score.mean == pytest.approx(np.mean(means))
    assert score.sd == pytest.approx(np.std(means, ddof=1))
    assert rows[0].scores["A"]["NDCG@10"].sd is None
    assert len(rows[1].per_query["both"]["NDCG@10"]) == 80
    expected = np.mean([rows[1].scores[test]["NDCG@10"].mean for test in ("A", "B")])
    assert rows[1].scores["both"]["NDCG@10"].mean == pytest.approx(expected)


def test_pareto_front():
    """What is beaten with as few numbers is not on it, nor what only ties with more."""
    sizes = {"none": (0, 0.0), "good": (10, 0.2), "worse": (10, 0.1), "dear": (50, 0.2), "best": (90, 0.3)}
    rows = summarise([record(head, shift=shift, stored=stored) for head, (stored, shift) in sizes.items()])
    assert [row.key.head for row in pareto_front(rows, "A", "NDCG@10")] == ["none", "good", "best"]


def test_comparisons_find_their_counterparts():
    """A trained baseline of the same amount of data; an untrained one for all."""
    rows = summarise(RECORDS)
    found = compare(rows, "linear", "A", "NDCG@10")
    assert [(c.head.head, c.head.queries, c.baseline.queries) for c in found] == [
        ("quantum", 5, 5),
        ("quantum", 10, 10),
    ]
    for comparison in found:
        assert comparison.difference == pytest.approx(0.05)
        assert comparison.low == pytest.approx(0.05)
        assert comparison.p < 0.001
        assert comparison.corrected == pytest.approx(min(1, 2 * comparison.p))
    assert len(compare(rows, "full", "A", "NDCG@10")) == 4


def test_counterparts_that_do_not_compress():
    """Where the encoder trains, the one of the same data; where it is frozen too, the one that is not trained."""
    records = [
        *(dataclasses.replace(r, cell=r.cell._replace(layers=2)) for r in RECORDS if r.cell.head == "quantum"),
        *(r for r in RECORDS if r.cell.head in ("quantum", "full")),
        *(record("full", 16, queries=q, stored=0) for q in (5, 10)),
    ]
    records[-2:] = [dataclasses.replace(r, cell=r.cell._replace(layers=2)) for r in records[-2:]]
    found = compare(summarise(records), "full", "A", "NDCG@10")
    assert [(c.head.queries, c.head.layers, c.baseline.objective, c.baseline.queries) for c in found] == [
        (5, 2, "labels", 5),
        (10, 2, "labels", 10),
        (5, 0, "", None),
        (10, 0, "", None),
    ]


def test_no_difference_is_not_significant():
    """Heads that differ by noise of mean zero."""
    noise = np.random.default_rng(5).normal(0, 0.1, len(QUERIES))
    other = record("quantum")
    values = other.measures["A"]["NDCG@10"]
    values.update({q: v + d for (q, v), d in zip(values.items(), noise - noise.mean(), strict=True)})
    (comparison,) = compare(summarise([record("linear"), other]), "linear", "A", "NDCG@10")
    assert comparison.low < 0 < comparison.high
    assert comparison.corrected > 0.5


def test_tables():
    """The same numbers in Markdown, CSV and JSON."""
    rows = summarise(RECORDS, {"both": ["A", "B"]})
    comparisons = compare(rows, "linear", "both", "NDCG@10")
    text = rows_to_markdown(rows, "NDCG@10")
    assert (
        text.splitlines()[0]
        == "| head | k | objective | queries | parameters | stored | bytes/doc | seeds | A | B | both |"
    )
    score = rows[3].scores["both"]["NDCG@10"]
    assert f"| {score.mean:.4f} ± {score.sd:.4f} |" in text
    lines = list(csv.DictReader(io.StringIO(rows_to_csv(rows))))
    assert len(lines) == 5 * 3
    assert float(lines[-1]["mean"]) == rows[-1].scores["both"]["NDCG@10"].mean
    assert "| +0.0500* | +0.0500 to +0.0500 |" in comparisons_to_markdown(comparisons)
    assert len(comparisons_to_csv(comparisons).splitlines()) == 3
    found = json.loads(to_json(rows, comparisons))
    assert found["rows"][3]["per_query"]["A"]["NDCG@10"]["q0"] == rows[3].per_query["A"]["NDCG@10"]["q0"]


def test_table_by_size_marks_what_is_significant():
    """A column a size, a letter for the baseline and a sign for the direction."""
    records = [
        *(record("linear", k=k, seed=s) for k in (8, 4) for s in range(2)),
        *(record("quantum", k=k, seed=s, shift=0.05 if k == 8 else 0) for k in (8, 4) for s in range(2)),
        record("full", 16, "", None, stored=0),
    ]
    rows = summarise(records)
    lines = sizes_to_markdown(rows, compare(rows, "linear", "A", "NDCG@10"), "A", "NDCG@10").splitlines()
    assert lines[0] == "| head | objective | parameters | k = 8 | k = 4 |"
    assert lines[2].startswith("| full | - | 0 | 0.")
    cells = [cell.strip() for cell in lines[4].split("|")[1:-1]]
    assert cells[:3] == ["quantum", "labels", "100"]
    assert cells[3].endswith(" a+")
    assert "a" not in cells[4]
    assert lines[-1] == "Significant differences (p < 0.05 after Holm): a: from linear."


def test_curves_have_a_line_a_head_and_a_band():
    """Amounts of data on a logarithmic axis; the uncompressed embedding as a level."""
    rows = summarise(RECORDS)
    (axes,) = learning_curves(points(rows, "A", "NDCG@10"), "NDCG@10, A").axes
    lines = {line.get_label(): line for line in axes.lines}
    assert {"linear", "quantum", "full (16)"} == set(lines)
    assert list(lines["quantum"].get_xdata()) == [5, 10]
    assert len(axes.collections) == 2
    assert axes.get_xscale() == "log"


def test_quality_has_a_point_a_head():
    """At the numbers it stores."""
    rows = [row for row in summarise(RECORDS) if row.key.queries in (None, 10)]
    (axes,) = quality_against_parameters(points(rows, "A", "NDCG@10"), "NDCG@10, A").axes
    assert axes.get_title() == "k = 8"
    drawn = {container.get_label(): container.lines[0].get_xdata()[0] for container in axes.containers}
    assert drawn == {"linear labels": 100, "quantum labels": 10}


def test_histograms_and_saturation():
    """A panel a key with shares that sum to one."""
    figure = similarity_histograms(distributions(RECORDS, "A"), "A")
    assert len(figure.axes) == 5
    for patch in figure.axes[0].patches:
        assert sum(patch.get_data().values) == pytest.approx(1)
    assert saturation(RECORDS[0].histograms["A"]) == (0.6, 0.4)


def test_figures_leave_matplotlib_alone():
    """No pyplot, no settings changed."""
    import matplotlib as mpl  # noqa: PLC0415

    before = _settings(mpl)
    learning_curves(points(summarise(RECORDS), "A", "NDCG@10"), "NDCG@10, A")
    assert _settings(mpl) == before


def _settings(mpl):
    # Looking at the backend would choose one.
    return {name: mpl.rcParams[name] for name in mpl.rcParams if not name.startswith("backend")}
