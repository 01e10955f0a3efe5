"""The command plot: every picture of the documentation from a folder."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

pytest.importorskip("matplotlib", reason="needs the extra 'draw'")

from hybrid_qproj import ClassicalProjection, QuantumProjection
from hybrid_qproj.cli import app
from hybrid_qproj.cli.plotting import KINDS, PlotOptions, run_plot
from hybrid_qproj.experiments.figures import report_figure
from hybrid_qproj.experiments.records import RecordError
from hybrid_qproj.viz.method.canvas import PlotError


@pytest.fixture
def draw(tmp_path):
    """Run the command; what it writes, or with a code the line that it ends with."""

    def run(kind, what, *arguments, code=0, suffix="svg"):
        out = tmp_path / f"picture.{suffix}"
        result = CliRunner().invoke(app, ["plot", kind, str(what), "--out", str(out), *map(str, arguments)])
        assert result.exit_code == code, result.output
        return " ".join(result.output.split()) if code else out.read_text()

    return run


@pytest.fixture
def head(tmp_path):
    """Folder of a saved head without an encoder."""
    QuantumProjection(12, 3, "u_cu", init="random").save(tmp_path / "head")
    return tmp_path / "head"


def test_heads(head, draw):
    """A saved one, or an ansatz at a start that is always the same."""
    assert draw("response", "rotor") == draw("response", "rotor") != draw("response", "rotor", "--block", 1)
    assert draw("response", head) != draw("response", head, "--stage", 1, "--block", 2)
    assert draw("surface", "polar", "--plan", "tree", "--sizes", 8, 2).startswith("<?xml")
    assert draw("merges", head) != draw("merges", head, "--output", 0) != draw("merges", "rotor")


def test_encoders(model, tmp_path, draw):
    """A text's qubits; pairs of documents by the whole embedding and by the head."""
    assert draw("spheres", model, "--text", "the cat") != draw("spheres", model, "--text", "a state")
    (tmp_path / "d.tsv").write_text("".join(f"d{i}\tcat {'sat ' * i}\n" for i in range(6)))
    whole = draw("fidelity", model, "--documents", tmp_path / "d.tsv")
    assert whole != draw("fidelity", model, "--documents", tmp_path / "d.tsv", "--limit", 4)


def test_runs(tmp_path, draw):
    """The log of a training run."""
    log = [{"step": 1, "loss": 2.0, "eval_x": 0.5}, {"step": 2, "loss": 1.0, "eval_x": 0.6}]
    (tmp_path / "trainer_state.json").write_text(json.dumps({"global_step": 2, "log_history": log}))
    assert draw("training", tmp_path, "--measure", "eval_x").startswith("<?xml")
    assert "logs eval_x" in draw("training", tmp_path, "--measure", "eval_y", code=1)


def test_options_that_would_be_ignored_are_refused(head, tmp_path, draw):
    """Each kind has its own; every option belongs to one."""
    names = {name for _, used in KINDS.values() for name in used}
    assert names == set(vars(PlotOptions())) - {"yes"}
    assert "--text says nothing about 'response'; it is for spheres" in draw("response", "rotor", "--text", "x", code=1)
    assert "did you mean 'merges'" in draw("merge", "rotor", code=1)
    assert "do not go with a saved head" in draw("response", head, "--plan", "tree", code=1)
    assert "has stages 0 to 2" in draw("response", head, "--stage", 3, code=1)
    assert "expected one of 0 to 2" in draw("response", head, "--block", 3, code=1)
    assert "expected one of .svg, .pdf, .png, .eps" in draw("response", head, code=1, suffix="gif")
    ClassicalProjection(4, 2).save(tmp_path / "linear")
    assert "which has no circuits" in draw("response", tmp_path / "linear", code=1)
    assert "give the text" in draw("spheres", head, code=1)


def test_results_again(tmp_path, tiny_bert, write_experiment, draw):
    """Figures of a finished compare, of any of its tests and measures; records that its report lacks stay out."""
    for module in ("datasets", "accelerate", "pytrec_eval"):
        pytest.importorskip(module, reason="needs the extra 'train'")
    config = write_experiment(tmp_path, tiny_bert, drop=("linear", '"low-rank"', "quantum"))
    text = config.read_text().replace('baselines = ["full", "linear"]', 'baselines = ["full"]')
    config.write_text(text.replace("seeds = 2", "seeds = 3\nfirst_seed = 42"))
    result = CliRunner().invoke(app, ["compare", str(config), "--out", str(tmp_path / "out"), "--workers", "1"])
    assert result.exit_code == 0, result.output
    # PCA and the full embedding have one seed; the random head goes on when the first table is there.
    assert result.output.index("NDCG@10, first seeds") < result.output.index("Report:")
    assert result.output.count("random") == 2
    results = tmp_path / "out"
    quality = draw("quality", results)
    assert quality != draw("quality", results, "--test", "whole") != draw("quality", results, "--measure", "MRR@10")
    assert draw("histograms", results) != draw("histograms", results, "--test", "whole")
    assert "trained on one amount of data" in draw("curves", results, code=1)
    assert "test 'hole': " in draw("quality", results, "--test", "hole", code=1)
    report = json.loads((results / "results.json").read_text())
    report["rows"] = [row for row in report["rows"] if row["key"]["head"] != "PCA"]
    (results / "results.json").write_text(json.dumps(report))
    assert "PCA" in quality
    assert "PCA" not in draw("quality", results)
    for content in ("{", "{}", '{"rows": []}'):
        (results / "results.json").write_text(content)
        with pytest.raises(RecordError):
            report_figure(results, "quality")


def test_python_has_it_too(tmp_path):
    """The same as a function."""
    run_plot("response", "rotor", tmp_path / "a.svg")
    assert (tmp_path / "a.svg").exists()
    with pytest.raises(PlotError, match="kind 'x'"):
        run_plot("x", "rotor", tmp_path / "b.svg")
