"""Search finds what an exhaustive comparison finds."""

from __future__ import annotations

import errno
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

pytest.importorskip("faiss", reason="needs the extra 'index'")

from hybrid_qproj._util.files import OutputError
from hybrid_qproj._util.locks import LockedError
from hybrid_qproj.index import AngleIndex, AngleStore, StoreError, exhaustive_search
from hybrid_qproj.index.first_stage import KINDS
from hybrid_qproj.index.saved import index_lock
from hybrid_qproj.similarity.fidelity import pairwise_log_fidelity
from hybrid_qproj.similarity.topk import top_k_fidelity

WIDTH = 16


def clustered(rows, seed=0):
    """Angles around a few centres, as those of texts are."""
    generator = torch.Generator().manual_seed(seed)
    centres = 0.8 + 1.5 * torch.rand(40, WIDTH, generator=torch.Generator().manual_seed(99))
    which = torch.randint(40, (rows,), generator=generator)
    return (centres[which] + 0.2 * torch.randn(rows, WIDTH, generator=generator)).clamp(0, math.pi)


@pytest.fixture
def store(tmp_path):
    store = AngleStore.create(tmp_path, WIDTH)
    documents = clustered(3000)
    for start in (0, 1000):
        end = start + (1000 if start == 0 else 2000)
        store.add([f"d{i}" for i in range(start, end)], documents[start:end])
    return store


QUERIES = clustered(20, seed=1)


def test_exhaustive(store):
    """Is top_k_fidelity over all shards."""
    scores, positions = exhaustive_search(store, QUERIES, 10)
    expected_scores, expected = top_k_fidelity(QUERIES, clustered(3000), 10)
    torch.testing.assert_close(scores, expected_scores)
    assert torch.equal(positions, expected)


def test_exhaustive_search_of_nothing(tmp_path):
    """Finds nothing."""
    scores, positions = exhaustive_search(AngleStore.create(tmp_path, WIDTH), QUERIES, 10)
    assert scores.shape == positions.shape == (20, 0)


def test_no_queries(tmp_path):
    """Of none there is nothing to find, in a large shard either."""
    store = AngleStore.create(tmp_path, WIDTH)
    store.add([f"d{number}" for number in range(200)], torch.ones(200, WIDTH))
    found = exhaustive_search(store, QUERIES[:0], 2)
    assert found.scores.shape == found.positions.shape == (0, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_recall_and_exact_scores(store, kind):
    """Nearly all of the best, with their exact scores, best first."""
    index = AngleIndex(store, kind)
    effort = {"ivf": 8, "ivfpq": 8}.get(kind)
    assert index.recall(QUERIES, 10, effort) >= 0.97
    scores, positions = index.search(QUERIES, 10, effort)
    exact = pairwise_log_fidelity(QUERIES, clustered(3000)).gather(1, positions)
    torch.testing.assert_close(scores, exact, atol=1e-4, rtol=1e-5)
    assert (scores.diff(dim=1) <= 0).all()


def test_recall_counts(store):
    """A first stage that is cut short loses documents, and recall says so."""
    assert AngleIndex(store, "ivf").recall(QUERIES, 50, effort=1) < 0.999
    assert AngleIndex(store, candidates=300).recall(QUERIES, 10) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_saved_and_grown(store, kind):
    """An index from disk finds the same; documents that came after it are taken in; removed ones are not found."""
    index = AngleIndex(store, kind)
    index.save()
    again = AngleIndex.load(store.folder)
    assert torch.equal(again.search(QUERIES, 5, 8).positions, index.search(QUERIES, 5, 8).positions)
    store.add(["new"], QUERIES[:1])
    later = AngleIndex.load(store.folder)
    found = later.search(QUERIES[:1], 5, 64)
    assert found.positions[0, 0] == 3000
    assert found.scores[0, 0] == pytest.approx(0, abs=1e-5)
    later.remove(["new"])
    assert 3000 not in later.search(QUERIES[:1], 5, 64).positions
    assert 3000 not in exhaustive_search(later.store, QUERIES[:1], 5).positions
    later.add(["newer"], QUERIES[:1])
    assert later.store.ids[later.search(QUERIES[:1], 1, 64).positions[0, 0]] == "newer"


def test_fewer_documents_than_wanted(tmp_path):
    """What is missing is -1 with a score of -inf."""
    small = AngleStore.create(tmp_path, WIDTH)
    small.add(["a", "b", "c"], clustered(3))
    index = AngleIndex(small)
    index.remove(["b"])
    scores, positions = index.search(QUERIES[:1], 5)
    assert sorted(positions[0].tolist()) == [-1, 0, 2]
    assert scores[0, -1] == -math.inf


def test_one_query_at_a_time(store, monkeypatch):
    """Candidates are scored in bounded pieces."""
    index = AngleIndex(store)
    whole = index.search(QUERIES, 10)
    monkeypatch.setattr("hybrid_qproj.index.search.ANGLES_AT_ONCE", 1)
    for a, b in zip(whole, index.search(QUERIES, 10), strict=True):
        assert torch.equal(a, b)


def test_refusals(store, tmp_path_factory):
    """What was given, and what is expected."""
    with pytest.raises(ValueError, match="expected one of flat, ivf, ivfpq, hnsw"):
        AngleIndex(store, "tree")
    index = AngleIndex(store)
    with pytest.raises(ValueError, match=r"expected k >= 1 and \(n, 16\)"):
        index.search(torch.zeros(1, 5))
    with pytest.raises(StoreError, match="has no index; build one"):
        AngleIndex.load(store.folder)
    index.save()
    (store.folder / "index.faiss").write_bytes(b"IxF2 and nothing")
    with pytest.raises(StoreError, match="cannot be read"):
        AngleIndex.load(store.folder)
    with pytest.raises(StoreError, match="no documents to index"):
        AngleIndex(AngleStore.create(tmp_path_factory.mktemp("empty"), WIDTH))


def test_what_cannot_be_searched_for(store):
    """Numbers that are no numbers, by their row; k and effort that are no counts."""
    index = AngleIndex(store, "ivf")
    for wrong in (math.nan, math.inf):
        queries = QUERIES.clone()
        queries[7, 3] = wrong
        for search in (index.search, index.recall, lambda q: exhaustive_search(store, q)):
            with pytest.raises(StoreError, match="query 7 holds numbers that are not finite"):
                search(queries)
    for k in (0, -1, True, 2.5, "3"):
        with pytest.raises(StoreError, match="expected k >= 1"):
            index.search(QUERIES, k)
    for effort in (0, -1, True, 1.5):
        with pytest.raises(StoreError, match="effort="):
            index.search(QUERIES, 1, effort)
    for candidates in (0, -4, "4", True, 10**12):
        with pytest.raises(StoreError, match="candidates="):
            AngleIndex(store, candidates=candidates)


@pytest.mark.parametrize("kind", KINDS)
def test_more_than_there_is(tmp_path, kind):
    """k and effort beyond all documents, and all documents removed."""
    small = AngleStore.create(tmp_path, WIDTH)
    small.add(["a", "b", "c"], clustered(3))
    index = AngleIndex(small, kind)
    found, expected = index.search(QUERIES, 10**9, 10**12), exhaustive_search(small, QUERIES, 10**9)
    assert torch.equal(found.positions, expected.positions)
    assert found.positions.shape == (20, 3)
    index.remove(["a", "b", "c"])
    for hits in (index.search(QUERIES, 2), exhaustive_search(small, QUERIES, 2)):
        assert bool((hits.positions == -1).all())
        assert bool((hits.scores == -math.inf).all())
    with pytest.raises(StoreError, match="recall takes one of each"):
        index.recall(QUERIES)
    assert index.search(QUERIES[:0], 2).positions.shape[0] == 0


def test_threads(store):
    """A search from many threads at once, of an index whose store nobody has read yet."""
    AngleIndex.build(store.folder, "hnsw")
    expected = AngleIndex.load(store.folder).search(QUERIES, 5)
    index = AngleIndex.load(store.folder)
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: index.search(QUERIES, 5), range(40)):
            assert torch.equal(found.positions, expected.positions)
            assert torch.equal(found.scores, expected.scores)


def test_two_builders(store):
    """The second is refused."""
    with index_lock(store.folder), pytest.raises(LockedError, match=r"the index in .* is being written by process"):
        AngleIndex.build(store.folder)
    with pytest.raises(StoreError, match="no folder of angles"):
        AngleIndex.build(store.folder / "none")


def test_a_full_disk(store, monkeypatch):
    """At any of its files: the older index stays."""
    AngleIndex.build(store.folder, "flat", 5)
    replace = Path.replace
    for left in range(3):
        count = iter(range(9))

        def full(self, target, count=count, left=left):
            if next(count) == left:
                raise OSError(errno.ENOSPC, "full")
            return replace(self, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", full)
            with pytest.raises(OutputError, match="No space left on device; what was there before is unchanged"):
                AngleIndex.build(store.folder, "ivf", 6)
        index = AngleIndex.load(store.folder)
        # Once FAISS's file is there, the newer one is.
        assert (index.kind, index.candidates) == (("flat", 5) if left < 2 else ("ivf", 6))
