"""Figures hold what their circuits hold, and leave matplotlib's settings alone."""

from __future__ import annotations

import pytest

matplotlib = pytest.importorskip("matplotlib", reason="needs the extra 'draw'")

from typer.testing import CliRunner  # noqa: E402

from hybrid_qproj import QuantumProjection, circuits  # noqa: E402
from hybrid_qproj.cli import app  # noqa: E402
from hybrid_qproj.plan import chain, tree  # noqa: E402
from hybrid_qproj.viz.circuits import block_picture, group_picture, head_figure, styles, to_figure  # noqa: E402


def labels(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def settings():
    # Looking at the backend would choose one.
    return {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if not name.startswith("backend")}


@pytest.mark.parametrize("name", circuits.names())
def test_every_ansatz(name):
    """Both wires by name, the encoding, and every parameter of the ansatz but phases that no gate has."""
    found = labels(to_figure(block_picture(name)))
    assert {"control", "kept"} <= set(found)
    assert sum("x_{c}" in label for label in found) == 1
    expected = len(circuits.get(name).parameter_names) - (2 if name == "u_cu" else 0)
    shown = " ".join(found)
    assert shown.count("$") // 2 - 2 >= expected


def test_group():
    """A box a gate, a readout between blocks."""
    found = labels(to_figure(group_picture("rotor", chain(12, 3), 0)))
    assert found.count("⟨Z⟩→RY") == 2
    assert sum("alpha" in label for label in found) == 3


@pytest.mark.parametrize("style", styles())
def test_styles_change_nothing_outside(style):
    """Every style draws, and settings stay."""
    before = settings()
    to_figure(block_picture("rotor"), style)
    assert settings() == before


def test_paper_is_black_and_white():
    """No colour in any box or line."""
    figure = to_figure(block_picture("u_cu"))
    colours = {patch.get_edgecolor()[:3] for patch in figure.axes[0].patches}
    faces = {patch.get_facecolor()[:3] for patch in figure.axes[0].patches}
    assert colours | faces <= {(0.0, 0.0, 0.0), (1.0, 1.0, 1.0)}


@pytest.mark.parametrize("plan", [chain(768, 256), tree(384, 64), chain(10, 4)])
def test_schematic(plan):
    """One column wide; stages with their numbers of blocks, the last output, ellipses where features are left out."""
    figure = head_figure(plan, "u_cu")
    assert figure.get_size_inches()[0] == pytest.approx(3.4)
    found = labels(figure)
    for number, stage in enumerate(plan.stages, start=1):
        assert f"stage {number}\n{len(stage)} blocks" in found
    assert rf"$\theta'_{{{len(plan.output)}}}$" in found
    assert (r"$\vdots$" in found) == (len(plan.output) > 3)
    sizes = [text.get_fontsize() for text in figure.axes[0].texts]
    assert min(sizes) >= 5


@pytest.fixture
def draw():
    def run(*arguments, code=0):
        result = CliRunner().invoke(app, ["draw", *map(str, arguments)])
        assert result.exit_code == code, result.output
        return result.output

    return run


def test_text_to_the_terminal(draw):
    """Without --out."""
    assert "control: ──RY(x_c)─╭●" in draw("rotor")
    assert "⟨Z⟩→RY" in draw("rotor", "--part", "group", "--sizes", 6, 2)
    stage = draw("rotor", "--part", "stage", "--stage", 1, "--sizes", 12, 4)
    assert "x_5: ──RY(θ'₅)─╭●" in stage  # written by stage 0
    assert "x_1: ──RY(-θ₁)─╰Z──RY(-α₁)─┤  <Z>" in stage
    assert stage.count("<Z>") == 3
    assert "768 -> 256, stages=2, blocks=512" in draw("u_cu", "--part", "head")


@pytest.mark.parametrize("suffix", ["svg", "pdf", "png", "eps", "tex", "qasm", "txt"])
def test_every_format(draw, tmp_path, suffix):
    """Its first bytes are those of its kind."""
    out = tmp_path / f"block.{suffix}"
    draw("u_cu", "--out", out)
    starts = {
        "svg": b"<?xml",
        "pdf": b"%PDF",
        "png": b"\x89PNG",
        "eps": b"%!PS",
        "tex": b"\\begin",
        "qasm": b"OPENQASM",
    }
    assert out.read_bytes().startswith(starts.get(suffix, b"control"))
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_same_picture_same_file(draw, tmp_path):
    """No dates, no random names."""
    for suffix in ("pdf", "svg"):
        for name in ("a", "b"):
            draw("rotor", "--out", tmp_path / f"{name}.{suffix}")
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_saved_head_with_its_numbers(draw, tmp_path):
    """A block, a group and the schematic of a model."""
    head = QuantumProjection(8, 2, "rotor", plan="tree", init="random")
    head.save(tmp_path / "head")
    angle = -head.stages[1].weights[0, 0].item()
    assert f"RY({angle:.3g})" in draw(tmp_path / "head")
    first = [f"RY({-angle:.3g})" for angle in head.stages[0].weights[:, 0].tolist()]
    stage = draw(tmp_path / "head", "--part", "stage")
    assert [angle in stage for angle in first] == [True, True, *[False] * (len(first) - 3), True]
    assert draw(tmp_path / "head", "--part", "group", "--output", 1).count("RY(-θ") == 4
    draw(tmp_path / "head", "--part", "head", "--out", tmp_path / "head.png")
    assert (tmp_path / "head.png").stat().st_size > 1000


def test_refusals(draw, tmp_path, monkeypatch):
    """Unknown names with suggestions, paths that cannot be written, ansaetze that cannot be traced."""
    assert "did you mean 'u_cu'" in draw("ucu", code=1)
    assert "did you mean '.svg'?" in draw("rotor", "--out", tmp_path / "a.svgg", code=1)
    assert "did you mean 'paper'?" in draw("rotor", "--out", tmp_path / "a.svg", "--style", "papr", code=1)
    assert "expected one of block, stage, group, head; did you mean 'head'?" in draw("rotor", "--part", "heads", code=1)
    module = tmp_path / "broken.py"
    module.write_text(
        "from hybrid_qproj.circuits import Ansatz, Normal\n"
        "mine = Ansatz('mine', lambda angles, wires: angles[3], ('alpha',), {'random': Normal(1)}, 'here')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    message = draw("broken:mine", "--out", tmp_path / "a.svg", code=1)
    assert "the circuit of ansatz 'mine' failed on 1 parameters (alpha): IndexError" in message
    assert "the plan has stages 0 to 1" in draw("rotor", "--part", "stage", "--stage", 2, code=1)
    assert "No such file" in draw("rotor", "--out", tmp_path / "none" / "a.svg", code=1)
    assert "expected .svg" in draw("rotor", "--part", "head", "--out", tmp_path / "a.tex", code=1).replace(
        "one of ", ""
    )
    (tmp_path / "empty").mkdir()
    draw(tmp_path / "empty", code=1)
    assert not list(tmp_path.glob("a.*"))
