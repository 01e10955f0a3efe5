"""The drawing of a block holds what its tape holds."""

from __future__ import annotations

import pytest

matplotlib = pytest.importorskip("matplotlib", reason="needs the extra 'draw'")

from hybrid_qproj import circuits  # noqa: E402
from hybrid_qproj.drawing import draw_block  # noqa: E402


def _labels(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_gates_of_the_published_block():
    """Both qubits by name, the encoding, and every gate of u_cu."""
    labels = _labels(draw_block("u_cu"))
    assert {"control", "kept"} <= set(labels)
    assert labels.count("RY") == 2 + 3
    assert labels.count("RZ") == 4 + 2


@pytest.mark.parametrize("name", circuits.names())
def test_draws_every_ansatz(name):
    """Every ansatz gives a figure with two labelled wires."""
    assert {"control", "kept"} <= set(_labels(draw_block(name)))


def test_leaves_global_settings_alone():
    """Drawing in a style changes no rcParams."""
    before = dict(matplotlib.rcParams)
    draw_block("rotor", style="sketch_dark")
    assert dict(matplotlib.rcParams) == before


def test_unknown_style():
    """An unknown style lists those there are."""
    with pytest.raises(ValueError, match="expected one of black_white"):
        draw_block("rotor", style="blak_white")
