"""Heads with codecs in experiments: sizes in bytes, documents as codes, what cannot be seen before anything runs."""

from __future__ import annotations

import json
import math

import pytest
import torch

pytest.importorskip("pydantic", reason="needs the extra 'train'")
pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")
pytest.importorskip("pytrec_eval", reason="needs the extra 'train'")
pytest.importorskip("matplotlib", reason="needs the extra 'train'")

from hybrid_qproj import PCAProjection
from hybrid_qproj.codec import Codec
from hybrid_qproj.experiments.build import sampled
from hybrid_qproj.experiments.cells import build_model, cells, digest, run_cell
from hybrid_qproj.experiments.coded import code
from hybrid_qproj.experiments.config import ConfigError, load_config
from hybrid_qproj.experiments.data import read_data
from hybrid_qproj.experiments.figures import report_figure
from hybrid_qproj.experiments.grid import run_cells, unfinished
from hybrid_qproj.experiments.records import CELLS, read_records
from hybrid_qproj.experiments.report import write_report
from hybrid_qproj.heads.linear import stored_numbers
from hybrid_qproj.retrieval.measures import evaluate_run
from hybrid_qproj.text.sides import encode_side

WIDTH = 24
"""Of the tiny encoder's embeddings."""
TOP = """
name = "bytes"
sizes = [3, 2]
sizes_in = "bytes"
seeds = 2
measures = ["NDCG@10", "MRR@10"]
baselines = ["control"]
"""
HEADS = """
[heads.full]
kind = "Uncompressed"

[heads.control]
kind = "Uncompressed"
codec = { scheme = "bits" }
sample = 24

[heads.PCA]
kind = "PCAProjection"
k = 12
codec = { scheme = "bits" }
sample = 24

[heads."four bits"]
kind = "PCAProjection"
k = { 3 = 6, 2 = 4 }
codec = { scheme = "sq4" }

[heads.rotated]
kind = "QuantumProjection"
args = { circuit = "rotor" }
fit = { mixing = 2, merging = "select" }
k = 24
codec = { scheme = "signs" }
sample = 24

[heads.angles]
kind = "QuantumProjection"
args = { circuit = "rotor" }
fit = {}
k = 8
codec = { scheme = "bits", score = "fidelity" }

[heads.floats]
kind = "PCAProjection"
sizes = [8]
"""


@pytest.fixture
def write(tmp_path, tiny_bert, write_experiment):
    def made(heads=HEADS, top=TOP):
        path = write_experiment(tmp_path, tiny_bert)
        text = path.read_text()
        middle = text[text.index("[encoder]") : text.index("[training]")]
        path.write_text(top + middle[: middle.index("[labels]")] + middle[middle.index("[texts]") :] + heads)
        return path

    return made


def run_all(config, data, out):
    run_cells(unfinished(cells(config, data.width), config, out), config, data, out, workers=1)
    return read_records(out)


def test_sizes_are_bytes(write, tmp_path):
    """Every row has the bytes that were asked for, and counts what the codec stores with what the head does."""
    config = load_config(write())
    data = read_data(config)
    records = run_all(config, data, tmp_path)
    assert {record.bytes_per_document for record in records if record.cell.head == "full"} == {4 * WIDTH}
    assert all(record.bytes_per_document == record.cell.k for record in records)
    assert all(record.sizes_in == "bytes" for record in records)
    seeds = {record.cell.head: {r.cell.seed for r in records if r.cell.head == record.cell.head} for record in records}
    # Two where another sample is drawn, one where nothing differs.
    assert {name: len(found) for name, found in seeds.items()} == {
        "full": 1,
        "control": 2,
        "PCA": 2,
        "four bits": 1,
        "rotated": 2,
        "angles": 1,
        "floats": 1,
    }
    stored = {(record.cell.head, record.cell.k): record.stored for record in records}
    assert stored["full", 4 * WIDTH] == 0
    assert stored["control", 3] == 3 * WIDTH
    assert stored["PCA", 3] == 12 * WIDTH + WIDTH + 3 * 12
    assert stored["four bits", 3] == 6 * WIDTH + WIDTH + 2 * 6
    assert stored["floats", 8] == 2 * WIDTH + WIDTH
    kinds = {record.cell.head: record.histograms["whole"].kind for record in records}
    assert kinds["angles"] == "fidelity"
    assert kinds["rotated"] == kinds["full"] == "cosine"


def test_a_cell_is_its_parts(write, tmp_path):
    """Head and codec are fitted to the seed's sample; each protocol ranks by the codec's scores."""
    config = load_config(write())
    data = read_data(config)
    cell = next(cell for cell in cells(config, WIDTH) if cell[:2] == ("PCA", 3) and cell.seed == 1)
    record = run_cell(cell, config, data, tmp_path)
    texts = [data.texts[row] for row in sampled(config, "PCA", len(data.texts), 1)]
    head = PCAProjection.fit(data.table.lookup(texts, "document"), 12)
    codec = Codec.fit(head(data.table.lookup(texts, "document")), 3, similarity="cosine")
    assert record.stored == stored_numbers(head) + codec.stored_numbers
    for test in data.tests:
        run = {}
        for query, text in test.queries.items():
            names = list(test.texts) if test.candidates is None else list(test.candidates[query])
            found = test.texts if names else {document.id: document.text for document in test.documents}
            names = names or list(found)
            outputs = head(data.table.lookup([found[name] for name in names], "document"))
            scores = codec.scores(head(data.table.lookup([text], "query")), codec.encode(outputs))[0]
            best = scores.argsort(descending=True, stable=True)[: test.depth]
            run[query] = {names[place]: float(scores[place]) for place in best.tolist()}
        expected = evaluate_run(test.qrels, run, config.measures, test.relevant)
        for measure in config.measures:
            assert record.measures[test.name][measure] == pytest.approx(expected[measure], abs=1e-6)


def test_one_query_and_many(write):
    """A query alone is compared as it is among others."""
    config = load_config(write())
    data = read_data(config)
    for name in ("PCA", "angles", "rotated"):
        cell = next(cell for cell in cells(config, WIDTH) if cell.head == name)
        coded = code(build_model(cell, config, data).eval(), cell, config, data, 64)
        queries, codes = (
            encode_side(coded, data.texts[:9], side, convert_to_tensor=True) for side in ("query", "document")
        )
        assert codes.dtype == torch.uint8
        alone = torch.cat([coded.similarity(query[None], codes) for query in queries])
        torch.testing.assert_close(coded.similarity(queries, codes), alone, rtol=1e-4, atol=1e-5)


def test_run_again_gives_the_same(write, tmp_path):
    """Of a run that was stopped, only what is missing is run, and the records are those of a whole run."""
    config = load_config(write())
    data = read_data(config)
    whole = {record.cell: record for record in run_all(config, data, tmp_path / "whole")}
    some = [cell for number, cell in enumerate(whole) if number % 3 == 0]
    run_cells(some, config, data, tmp_path / "parts", workers=1)
    # Killed while it wrote: the file beside is none of its records.
    (tmp_path / "parts" / CELLS / "x.json.tmp").write_text("{")
    assert len(unfinished(list(whole), config, tmp_path / "parts")) == len(whole) - len(some)
    assert {record.cell: record for record in run_all(config, data, tmp_path / "parts")} == whole


def test_a_digest_knows_the_codec(write):
    """A record of another codec, width or unit is not taken for this one; heads without keep their digests."""
    config = load_config(write())
    cell = next(cell for cell in cells(config, WIDTH) if cell[:2] == ("PCA", 2))
    before = digest(cell, config)
    for old, new in (
        ('"bits" }\nsample = 24\n\n[heads."f', '"bits", score = "centred" }\nsample = 24\n\n[heads."f'),
        ("k = 12", "k = 13"),
    ):
        assert digest(cell, load_config(write(HEADS.replace(old, new)))) != before
    other = next(cell for cell in cells(config, WIDTH) if cell[:2] == ("four bits", 2))
    assert digest(other, config) == digest(other, load_config(write(HEADS.replace("3 = 6", "3 = 5"))))
    for name in ("frozen", "k", "codec", "seeds"):
        assert name not in config.heads["full"].model_dump(mode="json")


def test_fewer_seeds_for_what_takes_long(write):
    """A head may have some of the seeds only, with the records that it would have with all."""
    config = load_config(write(HEADS.replace("k = 12", "k = 12\nseeds = 1")))
    few = cells(config, WIDTH)
    assert {cell.seed for cell in few if cell.head == "PCA"} == {0}
    assert {cell.seed for cell in few if cell.head == "rotated"} == {0, 1}
    whole = load_config(write())
    assert set(few) < set(cells(whole, WIDTH))
    assert [digest(cell, config) for cell in few] == [digest(cell, whole) for cell in few]


def test_a_report_in_bytes(write, tmp_path):
    """Tables say bytes, not k, and count what is stored; there is a plot of quality against bytes."""
    config = load_config(write())
    data = read_data(config)
    write_report(tmp_path, config, run_all(config, data, tmp_path))
    text = (tmp_path / "results.md").read_text()
    assert "| head | objective | stored | 8 bytes | 3 bytes | 2 bytes |" in text
    assert f"({4 * WIDTH} bytes)" in text
    assert "| head | bytes | parameters | stored |" in text
    assert "| head | bytes | objective |" in text
    assert "k = " not in text
    rows = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert {row["sizes_in"] for row in rows} == {"bytes"}
    assert (tmp_path / "bytes-1.svg").stat().st_size > 0
    (axes,) = report_figure(tmp_path, "bytes").axes
    assert axes.get_xlabel() == "bytes of a document"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('sizes_in = "bytes"\n', "", "a codec makes bytes of outputs; say sizes_in = 'bytes'"),
        ("k = 12\n", "", "heads.PCA: give k, the numbers of an output of PCAProjection"),
        (
            '[heads.full]\nkind = "Uncompressed"',
            '[heads.full]\nkind = "Uncompressed"\nk = 3',
            "k is for heads with a codec",
        ),
        ('scheme = "sq4"', 'scheme = "sq5"', "codec: scheme: no codec 'sq5'; expected one of bits, signs"),
        ('score = "fidelity"', 'score = "dot"', "score: Input should be 'fidelity', 'cosine' or 'centred'"),
        (
            'k = 12\ncodec = { scheme = "bits" }',
            'k = 12\ncodec = { scheme = "bits", score = "fidelity" }',
            "compares angles",
        ),
        ('scheme = "sq4"', 'scheme = "pq4", train = true', "no head is trained through 'pq4', which FAISS fits"),
        ('scheme = "sq4"', 'scheme = "sq4", train = true', "codec.train is for heads that are trained; give .* tune"),
        ("3 = 6, 2 = 4", "3 = 6", r"k names \[3\]; expected its sizes, \[2, 3\]"),
        ("k = 12", "k = 12\nseeds = 3", "head 'PCA': seeds = 3, but the experiment has 2"),
        ("seeds = 2", "seeds = 2\neach_epoch = true", "each_epoch evaluates outputs before they are coded"),
        ('[texts]\nsource = { documents = "corpus.tsv" }', "", "its codec is fitted to texts, but .* no"),
    ],
)
def test_what_a_file_cannot_say(write, old, new, said):
    path = write()
    text = path.read_text()
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError, match=said):
        load_config(path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("k = 12", "k = 2", "head 'PCA' at 3 bytes: 'bits' gives outputs of 2 numbers no 3 bytes: 1 to 2 only"),
        ("3 = 6", "3 = 7", "head 'four bits' at 3 bytes: 'sq4' gives outputs of 7 numbers no 3 bytes: 4 only"),
        ("sizes = [8]", "sizes = [7]", "head 'floats' has no codec, and 7 bytes are no whole number of float32"),
        ("k = 24", "k = 25", "cannot be built: in_features=24, out_features=25"),
        ('scheme = "sq4"', 'scheme = "sq4", score = "centred"', "'sq4' stores no mean"),
        ('merging = "select"', 'merging = "treelet"', "cannot be built: in_features=24, out_features=24"),
    ],
)
def test_what_no_cell_can_do(write, old, new, said):
    """Seen before anything is encoded."""
    path = write()
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=said):
        cells(load_config(path), WIDTH)


def test_trained_through_its_codec(write, tmp_path):
    """The same fitted head goes another way when its documents are coded while it learns; old records stay valid."""
    tuned = """
[training]
steps = 4
batch_size = 8

[objectives.distillation]
texts = {}

[heads.tuned]
kind = "QuantumProjection"
args = { circuit = "rotor" }
fit = {}
tune = true
sizes = [2]
seeds = 1
k = 8
codec = { scheme = "bits" }
"""
    found = []
    for codec in ('{ scheme = "bits" }', '{ scheme = "bits", train = true }', '{ scheme = "bits", train = false }'):
        config = load_config(
            write(tuned.replace('{ scheme = "bits" }', codec), TOP.replace('["control"]', '["tuned"]'))
        )
        (cell,) = cells(config, WIDTH)
        record = run_cell(cell, config, read_data(config), tmp_path)
        found.append((record.digest, record.loss))
    assert found[0] == found[2]
    assert found[0][0] != found[1][0]
    assert found[0][1] != found[1][1]


def test_product_quantisers_say_what_they_lack(write, tmp_path):
    """Too few texts for the centres are said by head, bytes and seed."""
    pytest.importorskip("faiss", reason="needs the extra 'index'")
    heads = '[heads.control]\nkind = "Uncompressed"\ncodec = { scheme = "pq" }\n'
    config = load_config(write(heads))
    todo = cells(config, WIDTH)
    assert [cell.seed for cell in todo] == [0, 1, 0, 1]
    with pytest.raises(ConfigError, match="head 'control' at 3 bytes, seed 0: 'pq' is fitted to 256 outputs at least"):
        run_cell(todo[0], config, read_data(config), tmp_path)


def test_a_codec_needs_faiss(write, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    heads = '[heads.control]\nkind = "Uncompressed"\ncodec = { scheme = "pq" }\n'
    with pytest.raises(ImportError, match="the codec 'pq' of head 'control'"):
        cells(load_config(write(heads)), WIDTH)


def test_bits_beat_a_shuffle(write, tmp_path):
    """At all of an embedding's bytes the control ranks as the embedding does."""
    heads = '[heads.full]\nkind = "Uncompressed"\n[heads.control]\nkind = "Uncompressed"\ncodec = { scheme = "bits" }\n'
    config = load_config(write(heads, TOP.replace("sizes = [3, 2]", "sizes = [24]")))
    data = read_data(config)
    values = {}
    for cell in cells(config, WIDTH):
        record = run_cell(cell, config, data, tmp_path)
        values[cell.head] = record.measures["judged"]["NDCG@10"].values()
    assert math.fsum(values["control"]) == pytest.approx(math.fsum(values["full"]), abs=0.2)
