"""Angles are drawn as the expressions of parameters that they are, whatever function computes them.

The right expression is the one that stands in the ansatz's source beside it.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

import numpy as np
import pennylane as qml
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hybrid_qproj.circuits import Ansatz, Normal
from hybrid_qproj.plan import chain
from hybrid_qproj.viz.circuits import DrawingError, block_picture, group_picture, stage_picture, to_quantikz, to_text


def ansatz(function, names=("a", "b", "c"), kind=qml.RX, **more):
    def circuit(angles, wires):
        kind(function(*angles), wires=wires[1] if kind.num_wires == 1 else wires)

    return Ansatz("mine", circuit, names, {"random": Normal(len(names))}, "here", **more)


def drawn(function, **more):
    """What stands in the brackets of the one gate."""
    text = to_text(block_picture(ansatz(function, **more)))
    return re.search(r"kept: ──RY\(x_b\)──RX\((.*)\)─┤", text)[1]


SUMS = {
    "a + b": lambda a, b, c: a + b,
    "3a": lambda a, b, c: 3 * a,
    "-a": lambda a, b, c: -a,
    "a/2": lambda a, b, c: a / 2,
    "-3b/2": lambda a, b, c: -1.5 * b,
    "b + π/2": lambda a, b, c: b + math.pi / 2,
    "a - 2b + c/3 - π": lambda a, b, c: a - 2 * b + c / 3 - math.pi,
    "π·a": lambda a, b, c: math.pi * a,
    "0.123a + 1": lambda a, b, c: 0.1234 * a + 1,
    "1e-07·a": lambda a, b, c: 1e-7 * a,
    "1000a": lambda a, b, c: 1000 * a,
    "b": lambda a, b, c: a + b - a,
    "a": lambda a, b, c: a + 0 * torch.sin(b),
    "π/2": lambda a, b, c: math.pi / 2,
    "0.3": lambda a, b, c: 0.3,
}
FUNCTIONS = {
    "f(a)": [
        lambda a, b, c: torch.sin(a),
        lambda a, b, c: a**2,
        lambda a, b, c: abs(a),
        lambda a, b, c: torch.relu(a),
        lambda a, b, c: a % (2 * math.pi),
        lambda a, b, c: torch.round(a),
        lambda a, b, c: torch.clip(a, -1000, 1000),
        lambda a, b, c: torch.where(a == 0, 1.0, a),
        lambda a, b, c: torch.sqrt(a),  # not defined everywhere
        lambda a, b, c: a + 0.01 * torch.sin(a),
        lambda a, b, c: torch.sign(a),
        lambda a, b, c: torch.where(a > 500, 1.0, 0.0),
    ],
    "f(a, b)": [
        lambda a, b, c: a * b,
        lambda a, b, c: torch.maximum(a, b),
        lambda a, b, c: a / b,
        lambda a, b, c: torch.where(a > 0, b, -b),
        lambda a, b, c: a + torch.sin(b),
        lambda a, b, c: torch.atan2(a, b),
    ],
    "f(b, c)": [lambda a, b, c: torch.exp(b - c) + a - a],
    "f(a, b, c)": [
        lambda a, b, c: torch.where(a > 0, b, c),
        lambda a, b, c: a * b * c,
        lambda a, b, c: torch.where((a > 0) & (b > 0), c, 0.0 * c),
    ],
}


@pytest.mark.parametrize("expression", SUMS)
def test_sums(expression):
    """Fractions, multiples of pi, decimals."""
    assert drawn(SUMS[expression]) == expression


@pytest.mark.parametrize(
    ("expression", "function"), [(name, function) for name, many in FUNCTIONS.items() for function in many]
)
def test_functions(expression, function):
    """Anything else names the parameters that it depends on, and no other."""
    assert drawn(function) == expression


@settings(max_examples=40, deadline=None)
@given(st.lists(st.fractions(min_value=-6, max_value=6, max_denominator=8), min_size=4, max_size=4))
@example([Fraction(0), Fraction(0), Fraction(0), Fraction(40, 7)])
def test_any_sum_of_fractions(factors):
    """Of parameters and pi: read back by Python, it is the number that the gate has."""
    a, b, c, pi = map(float, factors)
    text = drawn(lambda x, y, z: a * x + b * y + c * z + pi * math.pi)
    assert "f(" not in text
    readable = re.sub(r"(\d)([abcπ])", r"\1*\2", text)
    for values in ((0.3, -1.1, 2.2), (5.0, 0.7, -3.0)):
        names = dict(zip("abc", values, strict=True))
        found = eval(readable, {"π": math.pi, **names})  # noqa: S307 - our own drawing
        expected = np.dot((a, b, c), values) + pi * math.pi
        # A constant that is no small multiple of pi is drawn to three digits, 40/7 pi as 18.
        exact = "." not in text and "e" not in text and (not pi or "π" in text)
        assert found == pytest.approx(expected, abs=1e-9 if exact else 0.05)


def test_raw_weights_are_mapped_first():
    """Names stand for gate angles, as the ansatz's `angles` makes them."""
    halved = ansatz(lambda a, b, c: a + b, angles=lambda raw: qml.math.tanh(raw) * 2)
    assert "RX(a + b)" in to_text(block_picture(halved))


def test_functions_are_told_apart():
    """Two functions of one parameter have two letters, the same function twice has one."""

    def circuit(angles, wires):
        (a,) = angles
        for angle in (torch.sin(a), torch.cos(a), torch.sin(a)):
            qml.RX(angle, wires=wires[1])

    text = to_text(block_picture(Ansatz("mine", circuit, ("a",), {"random": Normal(1)}, "here")))
    assert "RX(f(a))──RX(g(a))──RX(f(a))" in text


def test_arrays_and_settings():
    """A matrix, and an exponent, that depend on a parameter say so; constant ones are part of the gate."""

    def circuit(angles, wires):
        a, b = angles
        phases = qml.math.stack([qml.math.exp(1j * a), qml.math.exp(-1j * a)], axis=-1)
        qml.DiagonalQubitUnitary(phases, wires=wires[1])
        qml.pow(qml.X(wires[0]), 0.5)
        qml.adjoint(qml.RX(b, wires=wires[0]))
        qml.pow(qml.Y(wires[0]), b)

    text = to_text(block_picture(Ansatz("mine", circuit, ("a", "b"), {"random": Normal(2)}, "here")))
    assert "(f(a))" in text
    assert "X⁰⋅⁵" in text
    assert "RX†(b)" in text
    assert "Pow[Y](b)" in text


@pytest.mark.parametrize("names", [("x_c", "x_b", "in_c"), ("theta_1", "theta_2", "theta'_1"), ("a", "a", "b")])
def test_names_like_the_encodings(names):
    """What encodes keeps away from the parameters' names, in blocks and stages."""
    mine = ansatz(lambda a, b, c: a + b, names)
    for picture in (
        block_picture(mine),
        stage_picture(mine, chain(6, 2), 1),
        group_picture(mine, chain(6, 2)),
    ):
        shown = [symbol.name for symbol in picture.symbols.all]
        assert len(set(shown)) == len(shown)
        for notation in (picture.symbols.text, picture.symbols.latex, picture.symbols.qasm):
            assert len(set(notation.names)) == len(shown)
    assert "RY(x_c)" in to_text(block_picture(ansatz(lambda a, b, c: a)))
    assert "RX(a₃)" in to_text(group_picture(ansatz(lambda a, b, c: a), chain(8, 2)))


def test_blocks_have_parameters_of_their_own():
    """Index 1 of block 11 is not index 11 of block 1."""
    mine = ansatz(lambda a, b, c: a + b, ("a_1", "a_11", "a"))
    picture = group_picture(mine, chain(13, 1))
    assert len({symbol.name for symbol in picture.symbols.all}) == len(picture.symbols)


def test_refusals():
    """Gates that come and go with the parameters, and chance."""

    def branches(angles, wires):
        if angles[0].sum() > 0:
            qml.RX(angles[0], wires=wires[0])
        else:
            qml.RY(angles[0], wires=wires[0])

    with pytest.raises(DrawingError, match="which gates ansatz 'mine' has depends on the values of its parameters"):
        block_picture(Ansatz("mine", branches, ("a",), {"random": Normal(1)}, "here"))
    text = to_text(block_picture(Ansatz("mine", branches, ("a",), {"random": Normal(1)}, "here"), torch.tensor([0.5])))
    assert "RX(0.5)" in text
    with pytest.raises(DrawingError, match="has other numbers each time"):
        block_picture(ansatz(lambda a, b, c: a + torch.rand(())))


def test_in_every_drawing():
    """LaTeX and matplotlib write the same expressions."""
    mine = ansatz(lambda a, b, c: a / 2 - 3 * b + math.pi / 2, ("alpha", "beta_c", "c"))
    assert r"\gate{R_X(\alpha/2 - 3\beta_{c} + \pi/2)}" in to_quantikz(block_picture(mine))
    figure = pytest.importorskip("hybrid_qproj.viz.circuits").to_figure(block_picture(mine))
    assert r"RX($\alpha/2 - 3\beta_{c} + \pi/2$)" in [text.get_text() for text in figure.axes[0].texts]
