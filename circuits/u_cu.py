"""The published block: a free rotation on each qubit, then a controlled one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pennylane as qml

from hybrid_qproj.circuits.ansatz import IDENTITY_NOISE, Ansatz, Normal

NAMES = tuple(f"{angle}_{gate}" for gate in ("c", "b", "cu") for angle in ("alpha", "beta", "gamma", "delta"))


def scaled_tanh(raw: Any) -> Any:
    """Raw weights to gate angles in (0, 4 pi), as published: 2 pi (1 + tanh(raw))."""
    return 2 * math.pi * (1 + qml.math.tanh(raw))


def circuit(angles: Sequence[Any], wires: Sequence[Any]) -> None:
    """U on c, U on b, controlled-U from c to b, with U = e^{i alpha} RZ(beta) RY(gamma) RZ(delta).

    The phase of an uncontrolled U is global, so no gate is spent on it; the phase of the controlled one is
    a PhaseShift of the control.
    """
    control, kept = wires
    _, beta_c, gamma_c, delta_c, _, beta_b, gamma_b, delta_b, alpha, beta, gamma, delta = angles
    # A product of matrices acts from the right: delta comes first.
    qml.RZ(delta_c, wires=control)
    qml.RY(gamma_c, wires=control)
    qml.RZ(beta_c, wires=control)
    qml.RZ(delta_b, wires=kept)
    qml.RY(gamma_b, wires=kept)
    qml.RZ(beta_b, wires=kept)
    qml.CRZ(delta, wires=[control, kept])
    qml.CRY(gamma, wires=[control, kept])
    qml.CRZ(beta, wires=[control, kept])
    qml.PhaseShift(alpha, wires=control)


ansatz = Ansatz(
    name="u_cu",
    circuit=circuit,
    parameter_names=NAMES,
    angles=scaled_tanh,
    initializers={
        # Raw weights of the published code are standard normal.
        "random": Normal(len(NAMES)),
        # raw = 0 makes every angle 2 pi: each rotation is -1, which b's readout does not see.
        "identity": Normal(len(NAMES), std=IDENTITY_NOISE),
    },
    citation="Kankeu et al. (2025), arXiv:2501.04591; U as in Nielsen and Chuang, theorem 4.1",
)
