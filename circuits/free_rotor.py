"""The rotor with free rotations before and after: the real two-qubit block of tree tensor networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pennylane as qml

from hybrid_qproj.circuits.ansatz import IDENTITY_NOISE, Ansatz, Normal


def circuit(angles: Sequence[Any], wires: Sequence[Any]) -> None:
    """RY on both qubits, CZ, RY on b. All amplitudes stay real."""
    before_c, before_b, after_b = angles
    control, kept = wires
    qml.RY(before_c, wires=control)
    qml.RY(before_b, wires=kept)
    qml.CZ(wires=[control, kept])
    qml.RY(after_b, wires=kept)


ansatz = Ansatz(
    name="free_rotor",
    circuit=circuit,
    parameter_names=("before_c", "before_b", "after_b"),
    initializers={
        "random": Normal(3, std=math.pi / 2),
        "identity": Normal(3, std=IDENTITY_NOISE),
    },
    citation=(
        "hybrid-qproj, after the real tree-tensor-network blocks (RY, entangler, discard one qubit) of "
        "Grant et al. (2018), npj Quantum Information 4:65, arXiv:1804.03680"
    ),
)
