"""qiskit.remote: all circuits of a batch in one IBM job, its seeds, and compilation for the machine.

The plugin sends a job a circuit: each waits in the queue by itself, and for a backend snapshot each builds the noise
model anew (measured: 3.4 s a circuit on a 127-qubit snapshot). The Estimator takes any number of circuits at once.
"""

from __future__ import annotations

from typing import Any

from pennylane.devices import Device
from pennylane.measurements import ExpectationMP
from pennylane.tape import QuantumScript

from hybrid_qproj._util.extras import require
from hybrid_qproj.devices.adapters import Asked, Compiled
from hybrid_qproj.devices.backends import stand_in
from hybrid_qproj.devices.wrappers.delegate import Delegate
from hybrid_qproj.devices.wrappers.qiskit import transpiled
from hybrid_qproj.devices.wrappers.seeding import Reseeded, circuit_seed

CIRCUITS_PER_JOB = 100
"""Below the limits of IBM's machines, and small enough that a lost job is a small loss."""
IBM_BASIS = ("cz", "rz", "sx", "x")
"""Gates of IBM's current machines."""


class OneJob(Delegate):
    """Runs circuits on a pennylane-qiskit remote device, many in a job.

    Only expectation values of Paulis are measured here, with the plugin's conversion and compilation as they are; what
    else is asked for goes to the plugin, a circuit a job.
    """

    def execute(self, circuits: Any, execution_config: Any = None) -> Any:
        """Results of each circuit, single ones in tuples of one, as the plugin's preprocessing expects them."""
        if isinstance(circuits, QuantumScript):
            return self.execute((circuits,), execution_config)[0]
        if not all(_is_pauli(measurement) for circuit in circuits for measurement in circuit.measurements):
            return tuple(self.inner.execute(circuits, execution_config))
        # As PennyLane's own simulators count: a batch, then what is in it.
        self.tracker.update(batches=1)
        self.tracker.record()
        results: list[tuple[Any, ...]] = []
        for start in range(0, len(circuits), CIRCUITS_PER_JOB):
            results.extend(self._job(circuits[start : start + CIRCUITS_PER_JOB]))
        return tuple(results)

    def _job(self, circuits: Any) -> list[tuple[Any, ...]]:
        converter = require("pennylane_qiskit.converter", "qiskit", "IBM backends")
        runtime = require("qiskit_ibm_runtime", "qiskit", "IBM backends")
        device = self.inner
        wires = device.num_wires
        plain = [converter.circuit_to_qiskit(circuit, wires, diagonalize=False, measure=False) for circuit in circuits]
        publications = []
        for circuit, compiled in zip(circuits, device.compile_circuits(plain), strict=True):
            observables = [converter.mp_to_pauli(m, wires).apply_layout(compiled.layout) for m in circuit.measurements]
            publications.append((compiled, observables))
        estimator = runtime.EstimatorV2(mode=device.session or device.backend)
        estimator.options.update(**device._kwargs)
        # One job has one precision; the package gives all circuits of a call the same shots.
        precision = circuits[0].shots.total_shots ** -0.5
        answers = estimator.run(publications, precision=precision).result()
        shots = sum(circuit.shots.total_shots for circuit in circuits)
        self.tracker.update(executions=len(circuits), jobs=1, shots=shots)
        self.tracker.record()
        return [tuple(answer.data.evs.tolist()) for answer in answers]


def _is_pauli(measurement: Any) -> bool:
    return isinstance(measurement, ExpectationMP) and bool(getattr(measurement.obs, "pauli_rep", None))


def one_job(device: Device, asked: Asked) -> Device:
    """The wrapper that sends many circuits in a job."""
    return OneJob(device)


def reseeded(device: Device, asked: Asked) -> Device:
    """The wrapper that gives each job a seed. A job has one for all its circuits, whose noise is drawn in order."""
    if asked.seed is None:
        return device
    # The plugin's own device, inside of OneJob, hands these on to the Estimator.
    settings = device.inner._kwargs
    return Reseeded(device, asked.seed, lambda seed: settings.update(simulator={"seed_simulator": seed}), together=True)


def transpiler_seed(asked: Asked) -> dict[str, Any]:
    """Compilation for a coupling map draws random layouts."""
    seed = {} if asked.seed is None else {"seed_transpiler": circuit_seed(asked.seed, 0)}
    return {**dict(asked.options), **seed}


def compile_for_machine(tape: QuantumScript, asked: Asked) -> Compiled:
    """Compile for the snapshot that stands for the backend; for IBM's gates where there is none."""
    found = stand_in(asked.option("backend"))
    if found is not None:
        return transpiled(tape, asked, found.name, {"backend": found})
    target = f"IBM basis {', '.join(IBM_BASIS)}, all qubits coupled"
    return transpiled(tape, asked, target, {"basis_gates": list(IBM_BASIS)})
