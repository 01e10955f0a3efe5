"""A store holds the angles of one model and of the texts that a corpus has now, or the command says what to do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("faiss", reason="needs the extra 'index'")
pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from sentence_transformers import SentenceTransformer

from hybrid_qproj import QuantumProjection, load
from hybrid_qproj._util.locks import LockedError
from hybrid_qproj.cli.run import encode, search
from hybrid_qproj.cli.run.encode import run_encode
from hybrid_qproj.cli.run.index import run_index
from hybrid_qproj.cli.run.search import run_search
from hybrid_qproj.index import AngleIndex, AngleStore, StoreError
from hybrid_qproj.retrieval.rules import DataError
from hybrid_qproj.sbert import with_head

WORDS = ["cat", "dog", "rain", "bank", "river", "money", "law", "sun"]
TEXTS = {f"d{i}": f"{WORDS[i % 8]} {WORDS[(i // 8) % 8]} {WORDS[(i * 3) % 8]}" for i in range(20)}


@pytest.fixture(scope="module")
def models(tiny_bert, tmp_path_factory):
    """Two models of the same sizes: name -> folder."""
    found = {}
    for seed, name in enumerate("ab"):
        encoder = SentenceTransformer(str(tiny_bert), device="cpu")
        width = encoder.get_embedding_dimension()
        generator = torch.Generator().manual_seed(seed)
        head = QuantumProjection(width, width // 2, "rotor", init="random", scale=1.0, generator=generator)
        found[name] = tmp_path_factory.mktemp("models") / name
        with_head(encoder, head).save_pretrained(str(found[name]))
    return found


@pytest.fixture
def quick(models, monkeypatch):
    """Models that are loaded once."""
    loaded = {str(folder): load(folder) for folder in models.values()}
    for command in (encode, search):
        monkeypatch.setattr(command, "load", lambda name, **_: loaded.get(str(name)) or load(name))
    return {name: str(folder) for name, folder in models.items()}


def write(path, texts):
    path.write_text("".join(f"{name}\t{text}\n" for name, text in texts.items()))
    return str(path)


def documents(folder):
    """Id -> angles, of what is not removed."""
    store = AngleStore(folder)
    rows = store.gather(torch.arange(store.rows)).tolist()
    return {name: rows[place] for place, name in enumerate(store.ids) if place not in store.removed}


@pytest.fixture
def truth(quick, tmp_path):
    """Angles of texts by a model, encoded at once."""

    def encode(model, texts):
        shutil.rmtree(tmp_path / "truth", ignore_errors=True)
        run_encode(quick[model], write(tmp_path / "truth.tsv", texts), tmp_path / "truth")
        return documents(tmp_path / "truth")

    return encode


def same(found, expected):
    assert list(found) == list(expected) or set(found) == set(expected)
    for name, row in expected.items():
        assert found[name] == pytest.approx(row, abs=1e-5), name


def test_a_replaced_model(models, tmp_path, truth):
    """In the same folder: refused with what to do, or encoded again as a whole; never mixed. Its search is refused."""
    model, out = tmp_path / "model", tmp_path / "angles"
    shutil.copytree(models["a"], model)
    corpus = write(tmp_path / "c.tsv", dict(list(TEXTS.items())[:12]))
    run_encode(str(model), corpus, out, shard=5)
    run_index(out)
    shutil.rmtree(model)
    shutil.copytree(models["b"], model)
    corpus = write(tmp_path / "c.tsv", TEXTS)
    with pytest.raises(StoreError, match=r"angles of another model.*choose another folder.*--update"):
        run_encode(str(model), corpus, out, shard=5)
    for engine in ("index", "exhaustive"):
        with pytest.raises(StoreError, match="was encoded by another model"):
            run_search(str(model), out, "cat dog", engine=engine)
    store = run_encode(str(model), corpus, out, shard=5, update=True)
    same(documents(out), truth("b", TEXTS))
    assert store.removed == set()
    with pytest.raises(StoreError, match="is of other documents; build it again"):
        run_search(str(model), out, "cat dog")
    run_index(out)
    assert run_search(str(model), out, "cat dog")
    assert not [path for path in out.iterdir() if "00000" in path.name or path.name == "next.json"]


def test_a_model_is_its_content(models, tmp_path, monkeypatch):
    """Another spelling of its path, a copy elsewhere: the same model."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(models["a"], "M")
    corpus = write(tmp_path / "c.tsv", dict(list(TEXTS.items())[:5]))
    run_encode("M", corpus, tmp_path / "angles")
    Path("M").rename("moved")
    corpus = write(tmp_path / "c.tsv", TEXTS)
    for name in ("./moved", str(tmp_path / "moved"), "moved/"):
        assert len(run_encode(name, corpus, tmp_path / "angles")) == 20
    run_index(tmp_path / "angles")
    assert run_search("./moved", tmp_path / "angles", "cat")
    assert AngleStore(tmp_path / "angles").model == "M"


def test_changed_texts(quick, tmp_path, truth):
    """Noticed; encoded again with update, and only they."""
    out, corpus = tmp_path / "angles", tmp_path / "c.tsv"
    run_encode(quick["a"], write(corpus, TEXTS), out, shard=7)
    changed = TEXTS | {"d4": "sun sun", "d19": "law", "new": "river"}
    with pytest.raises(StoreError, match=r"document 'd4' has another text than when .* with --update"):
        run_encode(quick["a"], write(corpus, changed), out, shard=7)
    del changed["d7"]
    with pytest.raises(StoreError, match="'d4'"):
        run_encode(quick["a"], write(corpus, changed), out)
    rows = AngleStore(out).rows
    store = run_encode(quick["a"], str(corpus), out, update=True)
    assert (store.rows - rows, len(store)) == (3, 20)
    same(documents(out), truth("a", changed))
    # Nothing more to do, with or without it.
    for update in (True, False):
        assert run_encode(quick["a"], str(corpus), out, update=update).rows == store.rows


def test_what_is_not_an_append(quick, tmp_path, truth):
    """Refused by name; done with update."""
    out, corpus = tmp_path / "angles", tmp_path / "c.tsv"
    run_encode(quick["a"], write(corpus, TEXTS), out)
    fewer = {name: text for name, text in TEXTS.items() if name not in ("d3", "d8")}
    for texts, message in (
        (fewer, r"holds 2 documents that the corpus has not, the first 'd3'; .*--update"),
        ({"first": "cat", **TEXTS}, r"another corpus: document 0 is 'd0', here 'first'; .*--update"),
    ):
        with pytest.raises(StoreError, match=message):
            run_encode(quick["a"], write(corpus, texts), out)
    # In another order they are the same documents.
    backwards = dict(reversed(TEXTS.items()))
    assert run_encode(quick["a"], write(corpus, backwards), out).rows == 20
    run_encode(quick["a"], write(corpus, {"first": "cat", **fewer}), out, update=True)
    same(documents(out), truth("a", {"first": "cat", **fewer}))
    corpus.write_text("d0\tcat\nd1\tdog\nd0\tcat\n")
    for update in (True, False):
        with pytest.raises(DataError, match=r"line 3: the id 'd0' came before"):
            run_encode(quick["a"], str(corpus), tmp_path / "other", update=update)
    assert len(AngleStore(tmp_path / "other")) == 0


def test_precision(quick, tmp_path):
    """That of the store unless another is asked for; another is refused, or all is encoded again."""
    out, corpus = tmp_path / "angles", write(tmp_path / "c.tsv", TEXTS)
    run_encode(quick["a"], corpus, out, "uint8")
    assert run_encode(quick["a"], corpus, out).precision == "uint8"
    with pytest.raises(StoreError, match=r"holds 12 uint8 angles of this model.* choose another folder"):
        run_encode(quick["a"], corpus, out, "float32")
    assert run_encode(quick["a"], corpus, out, "float16", update=True).precision == "float16"
    # Nothing is lost where nothing was encoded.
    AngleStore.create(tmp_path / "empty", 3)
    assert run_encode(quick["a"], corpus, tmp_path / "empty").width == 12


def test_documents_of_unknown_texts(quick, tmp_path):
    """Those that were added by hand are encoded again rather than believed."""
    out, corpus = tmp_path / "angles", write(tmp_path / "c.tsv", {"d0": "cat"})
    store = run_encode(quick["a"], corpus, out)
    store.add(["d1"], torch.ones(1, 12))
    corpus = write(tmp_path / "c.tsv", {"d0": "cat", "d1": "dog"})
    with pytest.raises(StoreError, match="does not say of which text document 'd1' is"):
        run_encode(quick["a"], corpus, out)
    run_encode(quick["a"], corpus, out, update=True)
    assert documents(out)["d1"] != [1.0] * 12


def test_a_former_store(quick, tmp_path, capsys):
    """Searched with a note; encoded to with update only."""
    out = tmp_path / "angles"
    store = AngleStore.create(out, 12, model="a")
    store.add(["d0", "d1"], torch.ones(2, 12))
    assert run_search(quick["a"], out, "cat", engine="exhaustive")
    assert "does not say for certain which model encoded it" in capsys.readouterr().err
    corpus = write(tmp_path / "c.tsv", TEXTS)
    with pytest.raises(StoreError, match="a model that it does not name for certain"):
        run_encode(quick["a"], corpus, out)
    assert len(run_encode(quick["a"], corpus, out, update=True)) == 20


def test_a_second_encode_is_refused(quick, tmp_path):
    """By the name of the first, which ends well."""
    out, corpus = tmp_path / "angles", write(tmp_path / "c.tsv", TEXTS)
    run_encode(quick["a"], corpus, out)
    with AngleStore(out).writing(), pytest.raises(LockedError, match=r"is being written by process \d+ on"):
        run_encode(quick["a"], corpus, out)
    run_index(out)
    assert run_encode(quick["a"], corpus, out).rows == 20


@pytest.mark.parametrize("what", ["new", "another model", "other texts"])
def test_death_at_any_change_of_the_disk(quick, tmp_path, what, crash_after):
    """The store is the older one or goes on from there, and the same command ends as if nothing had happened."""
    texts = dict(list(TEXTS.items())[:5])
    changed = {**texts, "d1": "sun", "d20": "law"} if what == "other texts" else texts
    model = quick["b" if what == "another model" else "a"]
    corpus = write(tmp_path / "c.tsv", changed)
    former = tmp_path / "former"
    if what != "new":
        run_encode(quick["a"], write(tmp_path / "former.tsv", texts), former, shard=3)
    whole = tmp_path / "whole"
    if what != "new":
        shutil.copytree(former, whole)
    with crash_after(None) as disk:
        run_encode(model, corpus, whole, shard=3, update=True)
    expected, before = documents(whole), documents(former) if what != "new" else {}
    assert disk.changes >= 12
    for left in range(disk.changes):
        out = tmp_path / f"cut{left}"
        if what != "new":
            shutil.copytree(former, out)
        with crash_after(left):
            run_encode(model, corpus, out, shard=3, update=True)
        if (out / "manifest.json").exists():
            AngleStore(out).verify()
            found = documents(out)
            if what == "another model":
                assert found in (before, expected)
            else:
                assert all(row in (before.get(name), expected.get(name)) for name, row in found.items())
                assert set(before) <= set(found)
        run_encode(model, corpus, out, shard=3, update=True)
        assert documents(out) == expected
        assert AngleStore(out).ids == AngleStore(whole).ids
        files = {path.name for path in out.iterdir()}
        assert files == {path.name for path in whole.iterdir()} or what != "new"
        assert not [name for name in files if name.startswith(".") or name == "next.json"]


def test_an_index_is_the_older_or_the_newer(tmp_path, crash_after):
    """Whenever its writer dies; the next one leaves nothing behind."""
    store = AngleStore.create(tmp_path / "angles", 4)
    store.add([f"d{i}" for i in range(50)], torch.rand(50, 4))
    queries = torch.rand(3, 4)
    AngleIndex.build(store.folder, "flat", 7)
    before = {name: (store.folder / name).read_bytes() for name in ("index.json", "index.faiss")}
    with crash_after(None) as disk:
        AngleIndex.build(store.folder, "hnsw", 9)
    seen = set()
    for left in range(disk.changes + 1):
        for name, content in before.items():
            (store.folder / name).write_bytes(content)
        with crash_after(left):
            AngleIndex.build(store.folder, "hnsw", 9)
        index = AngleIndex.load(store.folder)
        seen.add((index.kind, index.candidates))
        assert index.recall(queries, 3, 64) == 1
    assert seen == {("flat", 7), ("hnsw", 9)}
    AngleIndex.build(store.folder, "flat", 7)
    assert not [path.name for path in store.folder.iterdir() if path.name.startswith(".")]


KILLED = """
import os, sys, shutil, torch
from pathlib import Path
torch.set_num_threads(1)
from hybrid_qproj import load
from hybrid_qproj.cli.run import encode as commands

model, corpus, out, former, size = sys.argv[1:]
encoder = load(model)
commands.load = lambda *_, **__: encoder
replace = Path.replace

def encode(last, folder):
    if Path(former).is_dir():
        shutil.copytree(former, folder)
    count = iter(range(10**6))
    def counted(self, target):
        if next(count) == last:
            os._exit(9)
        return replace(self, target)
    Path.replace = counted
    commands.run_encode(model, corpus, Path(folder), shard=3, update=True, size=int(size) or None)

# Each run is a process of its own, and dies as one.
for last in range(200):
    child = os.fork()
    if not child:
        encode(last, f"{out}/{last}")
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
print(last)
"""


@pytest.mark.slow
@pytest.mark.parametrize("what", ["new", "another model", "new codes", "codes for angles"])
def test_processes_killed_at_any_rename(models, tmp_path, truth, quick, what):
    """Real processes, which leave locks and temporary files behind; the same command ends as if nothing was."""
    texts = dict(list(TEXTS.items())[:7])
    corpus = write(tmp_path / "c.tsv", texts)
    new, size = what.startswith("new"), 2 if "codes" in what else 0
    if not new:
        run_encode(quick["b" if what == "another model" else "a"], corpus, tmp_path / "former", shard=3)
    (tmp_path / "out").mkdir()
    arguments = [str(models["a"]), corpus, str(tmp_path / "out"), str(tmp_path / "former"), str(size)]
    child = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True, text=True, check=True)
    runs = int(child.stdout.splitlines()[-1])
    assert runs >= 13
    before, expected = {} if new else documents(tmp_path / "former"), documents(tmp_path / f"out/{runs}")
    if size:
        assert AngleStore(tmp_path / f"out/{runs}").bytes_per_document == size
    else:
        same(expected, truth("a", texts))
    for last in range(runs):
        out = tmp_path / "out" / str(last)
        if (out / "manifest.json").exists():
            found = documents(out)
            assert found in (before, expected) or new
            assert all(expected[name] == row for name, row in found.items()) or found == before
        run_encode(quick["a"], corpus, out, shard=3, update=True, size=size or None)
        same(documents(out), expected)
        assert len(list(out.glob("codec-*"))) == bool(size)
        assert not [path.name for path in out.iterdir() if path.name.startswith(".")]
