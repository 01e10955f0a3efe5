"""The command draw: options that would be ignored are refused, paths are named as given, no device is built."""

from __future__ import annotations

import pytest

pytest.importorskip("matplotlib", reason="needs the extra 'draw'")

from typer.testing import CliRunner

from hybrid_qproj import QuantumProjection, devices
from hybrid_qproj.blocks import executor
from hybrid_qproj.circuits import Ansatz, Normal, registry
from hybrid_qproj.cli import app
from hybrid_qproj.cli.drawing import DrawOptions, run_draw
from hybrid_qproj.errors import HybridQprojError
from hybrid_qproj.viz.circuits import DrawingError

START = {"identity": Normal(1)}


def draw(*arguments):
    result = CliRunner().invoke(app, ["draw", *map(str, arguments)])
    return result.exit_code, result.output


@pytest.fixture
def model(tmp_path):
    QuantumProjection(8, 2, "rotor", plan="tree", init="random").save(tmp_path / "head")
    return tmp_path / "head"


@pytest.mark.parametrize(
    ("option", "arguments"),
    [
        ("--stage", ["rotor", "--stage", 0]),
        ("--stage", ["rotor", "--part", "group", "--stage", 99]),
        ("--output", ["rotor", "--output", 1]),
        ("--output", ["rotor", "--part", "stage", "--output", 1]),
        ("--sizes", ["rotor", "--sizes", 8, 2]),
        ("--plan", ["rotor", "--plan", "nonsense"]),
        ("--style", ["rotor", "--style", "sketch"]),
        ("--style", ["rotor", "--style", "sketch", "--out", "a.tex"]),
        ("--standalone", ["rotor", "--standalone", "--out", "a.svg"]),
        ("--qasm-version", ["rotor", "--qasm-version", 2]),
        ("--qasm-version", ["rotor", "--qasm-version", 2, "--out", "a.txt"]),
        ("--values", ["rotor", "--values", "alpha=1", "--out", "a.png"]),
    ],
)
def test_options_that_would_be_ignored(option, arguments, tmp_path, monkeypatch):
    """By name, with what they are for, before a file is written."""
    monkeypatch.chdir(tmp_path)
    code, output = draw(*arguments)
    assert code == 1
    assert f"{option} says nothing about this drawing" in output
    assert not list(tmp_path.iterdir())


def test_options_of_a_saved_head(model):
    """Its block is that of an output; sizes and plan are its own."""
    for option in (["--stage", 99], ["--part", "head", "--output", 1]):
        code, output = draw(model, *option)
        assert (code, "says nothing about this drawing" in output) == (1, True)
    for option in (["--sizes", 8, 2], ["--plan", "tree", "--part", "head"]):
        code, output = draw(model, *option)
        assert (code, "does not go with a saved head" in output) == (1, True)
    assert draw(model, "--output", 1)[0] == 0
    assert draw(model, "--part", "stage", "--stage", 1)[0] == 0
    assert "the plan has stages 0 to 1" in draw(model, "--part", "stage", "--stage", 99)[1]


def test_paths_are_named_as_given(tmp_path, monkeypatch):
    """Before anything is drawn, without a temporary name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").mkdir()
    for what in (["rotor"], ["rotor", "--part", "head"]):
        code, output = draw(*what, "--out", "nodir/u.png")
        assert code == 1
        assert "cannot write nodir/u.png: No such file or directory: 'nodir'; make that folder first" in output
        assert ".u.png" not in output
        assert "cannot write a.png: it is a folder" in draw(*what, "--out", "a.png")[1]

    def full(*_):
        raise OSError(28, "No space left on device", ".u.png.x7f")

    monkeypatch.setattr("hybrid_qproj.viz.circuits.save.write_atomically", full)
    code, output = draw("rotor", "--out", "u.png")
    assert (code, output.strip()) == (1, "error: cannot write u.png: No space left on device")


@pytest.mark.parametrize("values", ["", "x_c=1,,x_b=2", "x_c=1_0", "x_c=\u0663", "x_c=1e999", "x_c=infinity", "=1"])
def test_values_that_are_none(tmp_path, values):
    """Nothing that Python alone takes for a number, and nothing that would be ignored."""
    code, output = draw("rotor", "--out", tmp_path / "a.qasm", "--values", values)
    assert code == 1
    assert "is no name=radians" in output
    assert not list(tmp_path.iterdir())


def test_sizes_that_no_encoder_has():
    """Refused before anything of that size is made."""
    code, output = draw("rotor", "--part", "head", "--sizes", 10**9, 2)
    assert code == 1
    assert "error: --sizes 1000000000 2: expected at most 65,536 features" in output


def test_values(tmp_path):
    """Go into the program; a wrong one is named."""
    out = tmp_path / "a.qasm"
    assert draw("rotor", "--out", out, "--qasm-version", 2, "--values", "alpha=0.25,x_c=-1e-7")[0] == 0
    assert "ry(-0.25) q[1];" in out.read_text()
    assert "ry(-1.0e-07) q[0];" in out.read_text()
    for values, message in [
        ("alpha", "'alpha' is no name=radians"),
        ("alpha=nan", "'alpha=nan' is no name=radians"),
        ("alpha=1,alpha=2", "'alpha' has two values"),
        ("beta=1", "a value for 'beta'"),
    ]:
        code, output = draw("rotor", "--out", out, "--values", values)
        assert (code, message in output) == (1, True)
    code, output = draw("rotor", "--out", out, "--qasm-version", 2)
    assert (code, "give values of alpha" in output) == (1, True)


def test_an_ansatz_or_a_folder(tmp_path, monkeypatch):
    """A name that is both is asked about."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rotor").mkdir()
    assert "is an ansatz and a folder here; for the folder, write ./rotor" in draw("rotor")[1]


@pytest.mark.parametrize("device", ["default.qubit", "braket.aws.qubit?shots=10&device_arn=arn:x"])
@pytest.mark.parametrize("part", ["block", "stage", "group", "head"])
def test_no_device_is_built(tmp_path, monkeypatch, device, part):
    """Not even for a user's ansatz on a machine that costs money."""
    import pennylane as qml  # noqa: PLC0415

    def circuit(angles, wires):
        qml.RX(angles[0], wires=wires[1])

    monkeypatch.setitem(registry._ANSAETZE, "of_a_user", Ansatz("of_a_user", circuit, ("a",), START, "here"))
    QuantumProjection(8, 2, "of_a_user", plan="tree", device=device).save(tmp_path / "head")

    def refuse(*arguments, **keywords):
        raise AssertionError("a device was built")

    for place in (executor, devices, devices.build):
        monkeypatch.setattr(place, "make_device", refuse, raising=False)
    monkeypatch.setattr(qml, "device", refuse)
    for suffix in ("svg", "tex", "qasm") if part == "block" else ("svg",):
        run_draw(str(tmp_path / "head"), tmp_path / f"a.{suffix}", part)
        assert (tmp_path / f"a.{suffix}").stat().st_size


def test_errors_are_ours():
    """And still ValueErrors."""
    with pytest.raises(HybridQprojError):
        run_draw("rotor", None, "blck")
    with pytest.raises(ValueError, match="says nothing"):
        run_draw("rotor", None, "block", DrawOptions(stage=0))
    assert issubclass(DrawingError, ValueError)
