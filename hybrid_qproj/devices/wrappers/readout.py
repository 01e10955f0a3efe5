"""Readout errors of any measurement: a flip of each measured qubit, in the basis in which it is read.

The package's own circuits read Pauli Z of one wire, where a flip before the readout is a flip of the bit. Other
circuits read other bases; default.mixed takes a probability for that and fails on it (PennyLane 0.45).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pennylane as qml
from pennylane.devices import Device
from pennylane.measurements import CountsMP, ExpectationMP, MeasurementProcess, ProbabilityMP, SampleMP, VarianceMP
from pennylane.tape import QuantumScript

from hybrid_qproj.devices.errors import DeviceRunError
from hybrid_qproj.devices.wrappers.delegate import Delegate

READ = (CountsMP, ExpectationMP, ProbabilityMP, SampleMP, VarianceMP)
"""Measurements that read bits; a state is nothing that a readout gives."""


class FlippedReadout(Delegate):
    """Reads every qubit wrongly with some probability, on another device that simulates channels.

    Sums are read term by term, and measurements in several bases by separate circuits.

    Args:
        inner: the device.
        probability: of a wrong bit, for each qubit.
    """

    def __init__(self, inner: Device, probability: float) -> None:
        super().__init__(inner)
        self.probability = probability

    def preprocess_transforms(self, execution_config: Any = None) -> Any:
        """As the inner device, after sums are taken apart."""
        pipeline = qml.CompilePipeline()
        pipeline.add_transform(qml.transforms.split_to_single_terms)
        return pipeline + self.inner.preprocess_transforms(execution_config)

    def execute(self, circuits: Any, execution_config: Any = None) -> Any:
        """Results of each circuit.

        Raises:
            DeviceRunError: a state is measured, or an observable that no gates diagonalize.
        """
        if isinstance(circuits, QuantumScript):
            return self.execute((circuits,), execution_config)[0]
        parts = [self._parts(circuit) for circuit in circuits]
        results = iter(self.inner.execute([tape for tapes in parts for tape in tapes], execution_config))
        return tuple(
            _joined([next(results) for _ in tapes], bool(circuit.shots.has_partitioned_shots))
            for circuit, tapes in zip(circuits, parts, strict=True)
        )

    def _parts(self, circuit: QuantumScript) -> list[QuantumScript]:
        """One circuit where all bits are read in one basis, else one for each measurement."""
        for measurement in circuit.measurements:
            if not isinstance(measurement, READ) or not _has_bits(measurement):
                raise DeviceRunError(
                    f"{type(measurement).__name__} on a device with readout errors: nothing is read by bits there. "
                    "Leave readout:... out of noise, or measure probabilities, samples, counts, or expectation values "
                    "of observables with diagonalizing gates"
                )
        alike = not any(measurement.diagonalizing_gates() for measurement in circuit.measurements)
        groups = [circuit.measurements] if alike else [[measurement] for measurement in circuit.measurements]
        return [self._flipped(circuit, group) for group in groups]

    def _flipped(self, circuit: QuantumScript, measurements: list[MeasurementProcess]) -> QuantumScript:
        wires = qml.wires.Wires.all_wires([measurement.wires or self.wires for measurement in measurements])
        turned = [gate for measurement in measurements for gate in measurement.diagonalizing_gates()]
        flips = [qml.BitFlip(self.probability, wires=wire) for wire in wires]
        read = [_in_bits(measurement) for measurement in measurements]
        return QuantumScript([*circuit.operations, *turned, *flips], read, shots=circuit.shots)


def _has_bits(measurement: MeasurementProcess) -> bool:
    return measurement.obs is None or bool(measurement.obs.has_diagonalizing_gates)


def _in_bits(measurement: MeasurementProcess) -> MeasurementProcess:
    """The measurement after its diagonalizing gates; as a matrix where values are read, see `mixed.rootless`."""
    if measurement.obs is None:
        return measurement
    if isinstance(measurement, ProbabilityMP):
        return qml.probs(wires=measurement.wires)
    values = qml.Hermitian(np.diag(measurement.eigvals()), wires=measurement.wires)
    more = {"all_outcomes": measurement.all_outcomes} if isinstance(measurement, CountsMP) else {}
    return type(measurement)(obs=values, **more)


def _joined(results: list[Any], partitioned: bool) -> Any:
    """Results of one circuit from those of its parts: by shots first, then by measurement."""
    if len(results) == 1:
        return results[0]
    return tuple(zip(*results, strict=True)) if partitioned else tuple(results)
