"""Where an experiment's data come from: paths, ids local to a query, own documents, embeddings of collections."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import pytest

for _module in ("datasets", "accelerate", "sentence_transformers", "pydantic", "pytrec_eval"):
    pytest.importorskip(_module, reason="needs the extra 'train'")

from hybrid_qproj.errors import DataError  # noqa: E402
from hybrid_qproj.experiments.cells import digest  # noqa: E402
from hybrid_qproj.experiments.config import ConfigError, load_config  # noqa: E402
from hybrid_qproj.experiments.data import read_data, read_tests  # noqa: E402
from hybrid_qproj.experiments.manifest import write_manifest  # noqa: E402
from hybrid_qproj.experiments.records import Cell  # noqa: E402

HEAD = 'name = "e"\nsizes = [2]\n[heads.full]\nkind = "Uncompressed"\n'
CELL = Cell("full", 2, "", None, 0, 0)


def beir(folder, texts=("a claim", "another")):
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(
        "".join(json.dumps({"_id": f"d{i}", "text": t}) + "\n" for i, t in enumerate(texts))
    )
    (folder / "queries.jsonl").write_text(json.dumps({"_id": "d0", "text": texts[0]}) + "\n")
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nd0\td1\t1\n")


def write(folder, test):
    (folder / "e.toml").write_text(HEAD + '[[test]]\nname = "t"\nprotocol = "retrieve"\n' + test)
    return folder / "e.toml"


def test_folders_start_at_the_configuration(tmp_path, monkeypatch):
    """As all paths do; one that lies in the working directory alone is not taken in its place."""
    beir(tmp_path / "here" / "beir")
    beir(tmp_path / "there" / "other")
    monkeypatch.chdir(tmp_path / "there")
    config = write(tmp_path / "here", 'dataset = "beir"\n')
    (test,) = read_tests(load_config(config))
    assert test.qrels == {"d0": {"d1": 1}}
    with pytest.raises(ConfigError, match="'other' is a folder of the working directory; paths start at"):
        load_config(write(tmp_path / "here", 'dataset = "other"\n'))
    assert read_tests(load_config(write(tmp_path / "here", 'dataset = "../there/other"\n')))
    # A folder that holds no collection is none, whatever its name.
    (tmp_path / "here" / "cranfield").mkdir()
    assert load_config(write(tmp_path / "here", 'dataset = "cranfield"\n')).test[0].dataset == "cranfield"
    with pytest.raises(ConfigError, match="blank"):
        load_config(write(tmp_path / "here", 'dataset = ""\n'))


def test_own_documents(tmp_path):
    """Dropped for BEIR's collections unless it is said otherwise; the manifest says it, a digest knows it."""
    beir(tmp_path / "beir")
    digests = set()
    for line, dropped in (("", True), ("drop_self = true\n", True), ("drop_self = false\n", False)):
        path = write(tmp_path, 'dataset = "beir"\n' + line)
        config = load_config(path)
        (test,) = read_tests(config)
        assert test.drop_self is dropped
        assert "1 of 1 queries have the id of a document" in test.problems[-1]
        write_manifest(tmp_path, config, tomllib.loads(path.read_text()))
        manifest = json.loads((tmp_path / "manifest.json").read_text())
        assert manifest["drop_self"] == {"t": dropped}
        assert len(manifest["data"]["beir"]) == 64
        digests.add(digest(CELL, config))
    assert len(digests) == 2


def test_a_digest_knows_the_files_of_a_folder(tmp_path):
    """And not where they lie."""
    for name in ("a", "b", "c"):
        beir(tmp_path / name / "beir", ("x", "y" if name == "c" else "z"))
    a, b, c = (digest(CELL, load_config(write(tmp_path / name, 'dataset = "beir"\n'))) for name in ("a", "b", "c"))
    assert a == b != c


@pytest.mark.parametrize("text", ['dataset = "cranfield"\n', 'documents = "c.tsv"\n'])
def test_digests_of_before(tmp_path, text):
    """Where nothing new is chosen nothing new is in the digest: what was computed stays."""
    (tmp_path / "c.tsv").write_text("d\tx\n")
    (test,) = load_config(write(tmp_path, text)).model_dump()["test"]
    assert not {"drop_self", "local_ids"} & test.keys()
    assert list(test) == [
        "dataset", "split", "judged", "documents", "queries", "qrels", "grades", "embeddings",
        "name", "protocol", "run", "relevant", "depth",
    ]  # fmt: skip


def test_local_ids(tmp_path):
    """Of judged passages only; grades are replaced in them as in all collections."""
    lines = [
        {"qid": f"q{i}", "query": "x", "passages": [{"docid": "1", "rel": 1, "text": f"text {i}"}]} for i in range(2)
    ]
    (tmp_path / "j.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(DataError, match="local_ids = true"):
        read_tests(load_config(write(tmp_path, 'judged = "j.jsonl"\n')))
    (test,) = read_tests(load_config(write(tmp_path, 'judged = "j.jsonl"\nlocal_ids = true\ngrades = { "1" = 3 }\n')))
    assert test.qrels == {"q0": {"q0:1": 3}, "q1": {"q1:1": 3}}
    with pytest.raises(ConfigError, match="local_ids goes with judged"):
        load_config(write(tmp_path, 'dataset = "lee"\nlocal_ids = true\n'))
    for grade in ("true", "1.0", '"2"'):
        with pytest.raises(ConfigError, match="grades"):
            load_config(write(tmp_path, f'judged = "j.jsonl"\ngrades = {{ "1" = {grade} }}\n'))


def test_embeddings_of_several_collections(tmp_path):
    """One file of embeddings, by id: an id that stands for two texts would give one of them the other's."""
    for name, text in (("a", "x"), ("b", "y")):
        (tmp_path / f"{name}.tsv").write_text(f"d1\t{text}\n")
        (tmp_path / f"{name}.topics").write_text("q1\tquery\n")
        (tmp_path / f"{name}.qrels").write_text("q1 0 d1 1\n")
    np.savez(tmp_path / "e.npz", docids=["d1"], docs=np.ones((1, 4)), qids=["q1"], queries=np.ones((1, 4)))
    tests = "".join(
        f'[[test]]\nname = "{n}"\nprotocol = "judged"\ndocuments = "{n}.tsv"\nqueries = "{n}.topics"\n'
        f'qrels = "{n}.qrels"\nembeddings = "e.npz"\n'
        for n in "ab"
    )
    (tmp_path / "e.toml").write_text(HEAD + tests)
    with pytest.raises(DataError, match=r"e\.npz is to hold .* in which document 'd1' has different texts"):
        read_data(load_config(tmp_path / "e.toml"))
    (tmp_path / "b.tsv").write_text("d1\tx\n")
    data = read_data(load_config(tmp_path / "e.toml"))
    assert data.width == 4
    assert not (tmp_path / "embeddings").exists()


def test_embeddings_of_two_scales(tiny_bert, tmp_path):
    """Of unit norm from a file, of another from the encoder: an error, or all of them at unit norm."""
    (tmp_path / "a.tsv").write_text("d1\ta cat\nd2\ta state\n")
    (tmp_path / "a.topics").write_text("q1\ta quantum cat\n")
    (tmp_path / "a.qrels").write_text("q1 0 d1 1\nq1 0 d2 0\n")
    one = np.full((1, 24), 24**-0.5)
    np.savez(tmp_path / "e.npz", docids=["d1"], docs=one, qids=["q1"], queries=one)
    text = (
        f'name = "e"\nsizes = [2]\n[encoder]\nname = "{tiny_bert}"\nmax_tokens = 16\n{{}}'
        '[heads.full]\nkind = "Uncompressed"\n'
        '[[test]]\nname = "a"\nprotocol = "judged"\ndocuments = "a.tsv"\nqueries = "a.topics"\nqrels = "a.qrels"\n'
        'embeddings = "e.npz"\n'
    )
    (tmp_path / "e.toml").write_text(text.format(""))
    with pytest.raises(DataError, match=r"have unit norm, those of the encoder .* a norm of .* normalize = true"):
        read_data(load_config(tmp_path / "e.toml"))
    (tmp_path / "e.toml").write_text(text.format("normalize = true\n"))
    data = read_data(load_config(tmp_path / "e.toml"))
    assert data.table.lookup(["a cat", "a state"]).norm(dim=1).tolist() == pytest.approx([1, 1])
