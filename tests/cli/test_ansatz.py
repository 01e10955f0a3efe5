"""The option --ansatz: every command that loads a model or a head takes it, and refuses without it."""

from __future__ import annotations

import inspect
import sys

import pytest
from typer.testing import CliRunner

from hybrid_qproj import QuantumProjection, cli

SOURCE = """
import pennylane as qml
from hybrid_qproj.circuits import Ansatz, Normal

def circuit(angles, wires):
    qml.CRY(angles[0], wires=wires)

mine = Ansatz("mine_of_the_command_line", circuit, ("a",), {"identity": Normal(1)}, "a test")
"""
MINE = "ansatz_of_the_command_line:mine"


@pytest.fixture
def heads(tmp_path, monkeypatch):
    (tmp_path / "ansatz_of_the_command_line.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    QuantumProjection(24, 8, MINE).save(tmp_path / "head")
    monkeypatch.delitem(sys.modules, "ansatz_of_the_command_line")
    (tmp_path / "d.tsv").write_text("1\ta cat\n2\tthe mat\n")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def test_which_commands_have_it():
    """All that read a model; the others read none."""
    having = {
        command.callback.__name__
        for command in cli.app.registered_commands
        if "ansatz" in inspect.signature(command.callback).parameters
    }
    assert having >= {"calibrate", "compare", "draw", "encode", "estimate", "evaluate", "search", "train"}


@pytest.mark.parametrize("command", ["calibrate", "draw", "estimate"])
def test_heads(heads, command):
    """Refused in one line that names the option, and nothing is imported; with it, the command runs."""
    arguments = {
        "calibrate": ["--device", "default.qubit", "--out", heads / "c.safetensors"],
        "draw": [],
        "estimate": ["--device", "default.qubit"],
    }[command]
    refused = run(command, heads / "head", *arguments)
    assert refused.exit_code == 1
    assert f"--ansatz {MINE}" in refused.output
    assert "ansatz_of_the_command_line" not in sys.modules
    allowed = run(command, heads / "head", *arguments, "--ansatz", MINE)
    assert allowed.exit_code == 0, allowed.output


def test_encode_and_search(heads, tiny_bert):
    """Of a whole model."""
    sbert = pytest.importorskip("hybrid_qproj.sbert", exc_type=ImportError)
    sbert.with_head(str(tiny_bert), QuantumProjection(24, 8, MINE), device="cpu").save_pretrained(str(heads / "model"))
    encode = ["encode", heads / "model", heads / "d.tsv", "--out", heads / "angles"]
    search = ["search", heads / "model", heads / "angles", "a cat", "--engine", "exhaustive"]
    for arguments in (encode, search):
        refused = run(*arguments)
        assert refused.exit_code == 1
        assert f"--ansatz {MINE}" in refused.output
        allowed = run(*arguments, "--ansatz", MINE)
        assert allowed.exit_code == 0, allowed.output
