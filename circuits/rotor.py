"""One angle, one two-qubit gate: the quantum form of a plane rotation that keeps one of two features."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import pennylane as qml

from hybrid_qproj.circuits.ansatz import IDENTITY_NOISE, Ansatz, Normal


def circuit(angles: Sequence[Any], wires: Sequence[Any]) -> None:
    """CZ, then RY(-alpha) on b: the readout is z' = cos(alpha) z_b + sin(alpha) x_b z_c."""
    (alpha,) = angles
    control, kept = wires
    qml.CZ(wires=[control, kept])
    qml.RY(-alpha, wires=kept)


ansatz = Ansatz(
    name="rotor",
    circuit=circuit,
    parameter_names=("alpha",),
    initializers={
        "random": Normal(1, std=math.pi / 2),
        "identity": Normal(1, std=IDENTITY_NOISE),
    },
    mirror=operator.neg,
    citation=(
        "hybrid-qproj; a Givens rotation read on one qubit, the step of a treelet: "
        "Lee, Nadler and Wasserman (2008), Annals of Applied Statistics 2(2), arXiv:0707.0481"
    ),
)
