"""The paper's grid, from its configuration files, on a miniature MS MARCO and a tiny random BERT."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

for _module in ("datasets", "accelerate", "ir_datasets", "pydantic", "pytrec_eval", "matplotlib"):
    pytest.importorskip(_module, reason="needs the extra 'train'")

FOLDER = Path(__file__).parents[2] / "examples" / "paper"


def shrunk(config: Path, encoder: Path) -> str:
    """The same experiment with what does not fit into a test made small."""
    text = config.read_text()
    for pattern, value in (
        (r'^name = "(distil)?bert"$', f'name = "{encoder}"'),
        (r"^max_tokens = 256$", "max_tokens = 16"),
        (r"^layers = \[0, 4\]$", "layers = [0, 2]"),
        (r"^sizes = .*$", "sizes = [8]"),
        (r"^seeds = 20$", "seeds = 2"),
        (r"^fractions = .*$", "fractions = [0.25, 1.0]"),
        (r"^queries = 100_000$", "queries = 12"),
        (r"^epochs = 5$", "epochs = 1"),
        (r"^batch_size = 64$", "batch_size = 4"),
    ):
        text, count = re.subn(pattern, value, text, flags=re.MULTILINE)
        assert count == 1, pattern
    return text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bert", "distilbert"])
def test_grid_runs_from_its_file(name, msmarco, tiny_bert, tmp_path):
    """Frozen and trained layers, both heads and none, fractions and seeds: every cell, and the report."""
    (tmp_path / "config.toml").write_text(shrunk(FOLDER / f"{name}.toml", tiny_bert))
    done = subprocess.run(
        [sys.executable, "-m", "hybrid_qproj", "compare", "config.toml", "--out", "out", "--workers", "2"],
        cwd=tmp_path,
        env={**os.environ, "IR_DATASETS_HOME": str(msmarco), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = list(csv.DictReader((tmp_path / "out" / "results.csv").open()))
    found = {(row["head"], row["layers"], row["queries"]) for row in rows}
    trained = {(h, "2", f) for h in ("uncompressed", "classical", "quantum") for f in ("0.25", "1.0")}
    frozen = {(h, "0", f) for h in ("classical", "quantum") for f in ("0.25", "1.0")}
    assert found == trained | frozen | {("uncompressed", "0", "")}
    assert {row["seeds"] for row in rows} == {"1", "2"}
    assert {row["test"] for row in rows} == {"TREC DL 2019", "TREC DL 2020", "both years"}
    (quantum,) = {row["parameters"] for row in rows if row["head"] == "quantum"}
    assert int(quantum) == 12 * (24 - 8)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["config"]["labels"]["queries"] == 12
    assert manifest["versions"]["torch"]
    for figure in ("quality.svg", "quality.png", "curves.svg", "histograms.png"):
        assert (tmp_path / "out" / figure).stat().st_size > 1000
