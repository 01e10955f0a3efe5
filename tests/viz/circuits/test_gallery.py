"""The page of ansaetze says what the ansaetze are, and the one in the tree is current."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pennylane as qml
import pytest

pytest.importorskip("matplotlib", reason="needs the extra 'draw'")

from typer.testing import CliRunner

from hybrid_qproj import circuits
from hybrid_qproj.circuits import Ansatz, Normal
from hybrid_qproj.cli import app
from hybrid_qproj.viz.circuits import block_picture, to_text
from hybrid_qproj.viz.circuits.gallery import gallery_page

FOLDER = Path(__file__).parents[3] / "circuits"
DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"
AGAIN = "the gallery is out of date: run `hybrid-qproj gallery circuits`"


def described(svg):
    return ET.parse(svg).getroot().find(f".//{DESCRIPTION}").text  # noqa: S314 - our own file


def test_page_is_current():
    """Parameters, gates, depths, sources."""
    ansaetze = [circuits.get(name) for name in circuits.names()]
    assert (FOLDER / "README.md").read_text() == gallery_page(ansaetze, "hybrid-qproj gallery circuits"), AGAIN


@pytest.mark.parametrize("name", circuits.names())
def test_figure_is_current(name):
    """The SVG was drawn from the circuit as it is now."""
    assert described(FOLDER / "images" / f"{name}.svg") == to_text(block_picture(name)), AGAIN


def test_counts():
    """Against a count by hand."""

    def circuit(angles, wires):
        """One of each."""
        qml.RX(angles[0], wires=wires[0])
        qml.SWAP(wires=wires)

    page = gallery_page([Ansatz("mine", circuit, ("alpha",), {"random": Normal(1)}, "here")], "a command")
    # RY on both wires, RX on the control, SWAP; a SWAP is three CNOTs.
    assert "| [mine](#mine) | 1 | 4 | 1 | 3 | 3 | 5 |" in page
    assert "One of each." in page
    assert "- Source: here" in page


def test_command(tmp_path):
    """Of some ansaetze, into a folder of one's own; the same files each time."""
    for folder in ("a", "b"):
        result = CliRunner().invoke(app, ["gallery", str(tmp_path / folder), "rotor", "polar"])
        assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "a" / "images").iterdir()) == ["polar.svg", "rotor.svg"]
    assert (tmp_path / "a/images/rotor.svg").read_bytes() == (tmp_path / "b/images/rotor.svg").read_bytes()
    assert "made by `hybrid-qproj gallery a rotor polar`" in (tmp_path / "a" / "README.md").read_text()
    result = CliRunner().invoke(app, ["gallery", str(tmp_path / "c"), "rotr"])
    assert result.exit_code == 1
    assert "did you mean 'rotor'?" in result.output
    assert not (tmp_path / "c").exists()
