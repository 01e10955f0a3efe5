"""A cluster of worker processes gives what one machine gives, also when a worker dies."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

pytest.importorskip("ray", reason="needs the extra 'ray'")
pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

import ray

from hybrid_qproj.cli.run.encode import run_encode
from hybrid_qproj.cli.run.search import run_search
from hybrid_qproj.errors import DataError
from hybrid_qproj.index import AngleStore, StoreError, exhaustive_search
from hybrid_qproj.index.cluster import search_shards
from hybrid_qproj.retrieval.trec import read_run

pytestmark = pytest.mark.slow
WORDS = ["cat", "dog", "rain", "bank", "river", "money", "law", "sun"]


@pytest.fixture(scope="module")
def cluster():
    """Three worker processes on this machine."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()
    del os.environ["RAY_USAGE_STATS_ENABLED"]


@pytest.fixture
def corpus(tmp_path):
    lines = [f"d{i}\t{WORDS[i % 8]} {WORDS[(i // 8) % 8]} {WORDS[(i * 3) % 8]}\n" for i in range(110)]
    (tmp_path / "corpus.tsv").write_text("".join(lines))
    return str(tmp_path / "corpus.tsv")


@pytest.fixture
def killed_after_a_shard(monkeypatch):
    """A context in which whoever encodes is interrupted when one shard is written, as it must be."""

    @contextmanager
    def killed():
        add = AngleStore.add

        def interrupted(self, ids, *rest, **options):
            if self.rows:
                raise KeyboardInterrupt
            add(self, ids, *rest, **options)

        with monkeypatch.context() as patch:
            patch.setattr(AngleStore, "add", interrupted)
            with pytest.raises(KeyboardInterrupt):
                yield

    return killed


def workers():
    """Process numbers of the workers that encode."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if b"ray::MapWorker" in name:
            found.append(int(folder.name))
    return found


def same(a, b):
    everything = torch.arange(a.rows)
    assert a.ids == b.ids
    assert [shard.rows for shard in a.shards] == [shard.rows for shard in b.shards]
    torch.testing.assert_close(a.gather(everything), b.gather(everything), atol=1e-6, rtol=0)


def test_a_killed_worker(cluster, model, corpus, tmp_path, monkeypatch):
    """One worker is killed after the first shard; the store is that of one machine."""
    run_encode(model, corpus, tmp_path / "here", shard=10)
    add, killed = AngleStore.add, []

    def add_and_kill(self, ids, *rest, **options):
        if not killed:
            killed.append(workers()[0])
            os.kill(killed[0], signal.SIGKILL)
        add(self, ids, *rest, **options)

    monkeypatch.setattr(AngleStore, "add", add_and_kill)
    run_encode(model, corpus, tmp_path / "there", shard=10, engine="ray", workers=2)
    assert killed
    assert killed[0] not in workers()
    same(AngleStore(tmp_path / "there"), AngleStore(tmp_path / "here"))


def test_goes_on(cluster, model, corpus, tmp_path, killed_after_a_shard):
    """What a killed run had finished stays; the cluster does the rest. Begun on one machine, even."""
    run_encode(model, corpus, tmp_path / "here", shard=40)
    with killed_after_a_shard():
        run_encode(model, corpus, tmp_path / "there", shard=40)
    with pytest.raises(StoreError, match=r"go on with the --shard that it was begun with \(40\)"):
        run_encode(model, corpus, tmp_path / "there", shard=30, engine="ray")
    run_encode(model, corpus, tmp_path / "there", shard=40, engine="ray", workers=2)
    same(AngleStore(tmp_path / "there"), AngleStore(tmp_path / "here"))
    # Complete: nothing is encoded again, whatever the last shard's size.
    run_encode(model, corpus, tmp_path / "there", shard=40, engine="ray")
    assert AngleStore(tmp_path / "there").rows == 110


def test_search(cluster, model, corpus, tmp_path):
    """Shard by shard on the cluster, to the last digit what one process finds; removed documents stay removed."""
    store = run_encode(model, corpus, tmp_path / "angles", "uint8", shard=25)
    store.remove(["d3", "d77"])
    queries = store.gather(torch.tensor([3, 50, 77, 109]))
    expected = exhaustive_search(store, queries, 7)
    found = search_shards(tmp_path / "angles", queries, 7, workers=2)
    assert torch.equal(found.positions, expected.positions)
    assert torch.equal(found.scores, expected.scores)
    for engine in ("ray", "exhaustive"):
        run_search(model, tmp_path / "angles", "cat river", 5, tmp_path / f"{engine}.run", engine)
    assert read_run(tmp_path / "ray.run") == read_run(tmp_path / "exhaustive.run")


def test_codes(cluster, model, corpus, tmp_path, killed_after_a_shard):
    """One codec, and the same codes and hits, also when the run goes on."""
    here = run_encode(model, corpus, tmp_path / "here", shard=25, size=2)
    options = {"shard": 25, "engine": "ray", "workers": 2, "size": 2}
    with killed_after_a_shard():
        run_encode(model, corpus, tmp_path / "there", **options)
    there = run_encode(model, corpus, tmp_path / "there", **options)
    everything = torch.arange(here.rows)
    assert there.codec.fingerprint == here.codec.fingerprint
    assert there.ids == here.ids
    assert torch.equal(there.stored_rows(everything), here.stored_rows(everything))
    there.remove(["d3", "d77"])
    queries = there.gather(torch.tensor([3, 50, 77, 109]))
    expected, found = exhaustive_search(there, queries, 7), search_shards(there.folder, queries, 7, workers=2)
    assert torch.equal(found.positions, expected.positions)
    assert torch.equal(found.scores, expected.scores)
    for engine in ("ray", "exhaustive"):
        run_search(model, there.folder, "cat river", 5, tmp_path / f"{engine}.run", engine)
    assert read_run(tmp_path / "ray.run") == read_run(tmp_path / "exhaustive.run")


def test_a_bad_line(cluster, model, corpus, tmp_path):
    """A worker's error is the same as here, and stops the run at once: whole shards before it may be there or not."""
    with Path(corpus).open("a") as file:
        file.write("no tab\n")
    with pytest.raises(DataError, match=r"corpus\.tsv, line 111: 'no tab'; expected an id, a tab and the text"):
        run_encode(model, corpus, tmp_path / "angles", shard=55, engine="ray")
    assert AngleStore(tmp_path / "angles").rows in (0, 55, 110)
