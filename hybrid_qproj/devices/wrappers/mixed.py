"""default.mixed: a readout whose gradient exists where a probability is zero.

PennyLane 0.45 reads probabilities as squares of square roots. Where one is zero, as it is at the probes
of a freshly encoded qubit, the values are right and every gradient is NaN. Matrices are read without a root.
"""

from __future__ import annotations

from typing import Any

import pennylane as qml
from pennylane.devices import Device
from pennylane.measurements import ExpectationMP
from pennylane.tape import QuantumScript

from hybrid_qproj.devices.adapters import Asked
from hybrid_qproj.devices.wrappers.delegate import Delegate

_Z = ((1.0, 0.0), (0.0, -1.0))


class RootlessReadout(Delegate):
    """Reads Pauli Z as a matrix, on another device; circuits with shots are left as they are."""

    def execute(self, circuits: Any, execution_config: Any = None) -> Any:
        """Results of each circuit."""
        if isinstance(circuits, QuantumScript):
            return self.execute((circuits,), execution_config)[0]
        return self.inner.execute(tuple(_rootless(circuit) for circuit in circuits), execution_config)


def rootless(device: Device, asked: Asked) -> Device:
    """The wrapper of default.mixed's row."""
    return RootlessReadout(device)


def _rootless(circuit: QuantumScript) -> QuantumScript:
    if circuit.shots:
        return circuit
    measurements = [
        qml.expval(qml.Hermitian(qml.math.array(_Z), wires=m.wires))
        if isinstance(m, ExpectationMP) and isinstance(m.obs, qml.Z)
        else m
        for m in circuit.measurements
    ]
    return QuantumScript(circuit.operations, measurements, shots=circuit.shots)
