"""RY and RZ set a qubit's polar angles, a trainable ZZ entangles: quantum polar metric learning's gates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pennylane as qml

from hybrid_qproj.circuits.ansatz import IDENTITY_NOISE, Ansatz, Normal


def circuit(angles: Sequence[Any], wires: Sequence[Any]) -> None:
    """RY and RZ on both qubits, ZZ between them, RY on b.

    RZ and ZZ commute with the Pauli Z that is read, so without the closing RY they would be invisible.
    """
    theta_c, phi_c, theta_b, phi_b, coupling, closing = angles
    control, kept = wires
    qml.RY(theta_c, wires=control)
    qml.RZ(phi_c, wires=control)
    qml.RY(theta_b, wires=kept)
    qml.RZ(phi_b, wires=kept)
    qml.IsingZZ(coupling, wires=[control, kept])
    qml.RY(closing, wires=kept)


ansatz = Ansatz(
    name="polar",
    circuit=circuit,
    parameter_names=("theta_c", "phi_c", "theta_b", "phi_b", "coupling", "closing"),
    initializers={
        "random": Normal(6, std=math.pi / 2),
        "identity": Normal(6, std=IDENTITY_NOISE),
    },
    citation=(
        "gate set of Sharma and Shrivastava (2023), quantum polar metric learning, arXiv:2312.01655; "
        "the closing RY is ours"
    ),
)
