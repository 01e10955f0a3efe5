"""Names are escaped for their format, and two names are never shown alike."""

from __future__ import annotations

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_qproj.circuits import Ansatz, Normal
from hybrid_qproj.viz.circuits import block_picture, to_figure, to_quantikz, to_text
from hybrid_qproj.viz.circuits.names import (
    RESERVED,
    latex_name,
    mathtext,
    matplotlib_text,
    qasm_name,
    text_name,
    wire_label,
)
from hybrid_qproj.viz.circuits.symbols import Symbol, Symbols

NASTY = [
    "a_b",
    "50%",
    "#1",
    "a&b",
    "{x}",
    "\\alpha",
    "a^2",
    "~",
    "$x$",
    "é",
    "θ",
    "pi",
    "π",
    "f",
    "a b",
    "",
    "a\nb",
    "_",
    "2a",
    "a#b",
    "#c#",
]


@pytest.mark.parametrize("name", NASTY)
def test_latex_has_no_special_sign(name):
    """All that is left of them is escaped; braces match."""
    latex = latex_name(name)
    assert latex.isascii()
    bare = re.sub(r"\\(?:[A-Za-z]+|.)", "", latex)
    assert not re.search(r"[#%&$~^\\]", bare)
    assert bare.count("{") == bare.count("}")
    assert "\n" not in text_name(name)


def test_matplotlib_reads_them():
    """Its parser of mathematics is the judge; a name called pi is not the number."""
    pytest.importorskip("matplotlib", reason="needs the extra 'draw'")
    from matplotlib.mathtext import MathTextParser  # noqa: PLC0415

    parser = MathTextParser("agg")
    for name in (*NASTY, *map(chr, range(32, 127)), *(f"a{chr(sign)}b" for sign in range(32, 127))):
        parser.parse(mathtext(latex_name(name)))
        parser.parse(matplotlib_text(wire_label(name)))
    for name in Symbols(map(Symbol, ["a", "a'", "pi", "a_1"] * 2)).latex.names:
        parser.parse(mathtext(name))
    assert latex_name("pi") != r"\pi"
    assert text_name("pi") != "π"


@pytest.mark.parametrize("name", [*NASTY, "gate", "input", "U", "q", "0", "import", "θ'_1"])
def test_qasm_identifiers(name):
    """Letters, digits and underscores; no word of the language."""
    found = qasm_name(name)
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", found)
    assert found not in RESERVED


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=6), min_size=2, max_size=5, unique=True))
def test_never_alike(names):
    """In any format."""
    symbols = Symbols(map(Symbol, names))
    for notation in (symbols.text, symbols.latex, symbols.qasm):
        assert len(set(notation.names)) == len(names)


def test_drawings_with_any_names():
    """All three of them, whole; a backslash is no command."""
    pytest.importorskip("matplotlib", reason="needs the extra 'draw'")

    def circuit(angles, wires):
        import pennylane as qml  # noqa: PLC0415

        for angle in angles:
            qml.RX(angle, wires=wires[0])
        qml.RX(torch.sin(angles[0]) * angles[1], wires=wires[0])

    picture = block_picture(Ansatz("m", circuit, tuple(NASTY), {"random": Normal(len(NASTY))}, "here"))
    to_figure(picture).canvas.draw()
    assert r"[\mathrm{\backslash alpha}]" in to_quantikz(picture)
    assert to_text(picture).count("control: ") >= 1
    assert "f(a_b, [50%])" in to_text(picture)
