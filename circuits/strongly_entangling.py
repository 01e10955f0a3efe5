"""PennyLane's StronglyEntanglingLayers on the two qubits of a block."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pennylane as qml

from hybrid_qproj.circuits.ansatz import IDENTITY_NOISE, Ansatz, Normal

# A layer's two CNOTs send bits (c, b) to (b, b + c), a map of order three: with three layers all-zero
# angles are the identity, so that the head can start as truncation.
LAYERS = 3
NAMES = tuple(
    f"{angle}_{qubit}{layer}"
    for layer in range(1, LAYERS + 1)
    for qubit in ("c", "b")
    for angle in ("phi", "theta", "omega")
)


def circuit(angles: Sequence[Any], wires: Sequence[Any]) -> None:
    """Three layers of a general rotation on each qubit and a ring of CNOTs."""
    weights = qml.math.stack(list(angles), axis=-1)
    shape = (*qml.math.shape(weights)[:-1], LAYERS, len(wires), 3)
    # Its gates one by one: the template itself hides its batch dimension from devices that take one sample at a time.
    qml.StronglyEntanglingLayers.compute_decomposition(
        qml.math.reshape(weights, shape), wires=wires, ranges=(1,) * LAYERS, imprimitive=qml.CNOT
    )


ansatz = Ansatz(
    name="strongly_entangling",
    circuit=circuit,
    parameter_names=NAMES,
    initializers={
        "random": Normal(len(NAMES), std=math.pi / 2),
        "identity": Normal(len(NAMES), std=IDENTITY_NOISE),
    },
    citation="Schuld et al. (2020), Physical Review A 101, 032308, arXiv:1804.00633; PennyLane's template",
)
