"""Which devices are tested, and which tests apply to a device."""

from __future__ import annotations

from collections.abc import Callable

from hybrid_qproj.devices import ADAPTERS, DeviceSpec, adapter_for, can_cost
from hybrid_qproj.devices.backends import is_snapshot
from hybrid_qproj.devices.checks import takes_seed

FAST = (
    "default.qubit",
    "default.qubit?shots=1000&seed=7",
    "default.mixed",
    "default.mixed?noise=depolarizing:0.02,readout:0.03",
    "lightning.qubit",
    "lightning.qubit?shots=1000&seed=7",
)
"""Part of the core install, and quick."""
SLOW = (
    "default.mixed?shots=1000&seed=7",
    "lightning.qubit?c_dtype=complex64",
    "lightning.kokkos",
    "lightning.gpu",
    "qiskit.aer?backend=aer_simulator_statevector",
    "qiskit.aer?shots=1000&seed=7",
    "qiskit.basicsim?shots=1000&seed=7",
    "qiskit.remote?backend=fake_manila&shots=1000&seed=7",
    "braket.local.qubit",
    "braket.local.qubit?backend=braket_dm",
    "braket.local.qubit?shots=1000",
    "cirq.simulator",
    "cirq.simulator?shots=1000",
    "cirq.mixedsimulator",
)
"""Plugins, each tested where it is installed."""

SLOW_SAMPLERS = ("qiskit.aer", "qiskit.basicsim", "qiskit.remote", "braket.local.qubit")
"""They take up to a quarter of a second a circuit: too slow for tests of hundreds of circuits."""


def is_exact(spec: DeviceSpec) -> bool:
    """Whether expectation values are exact: no shots are asked for."""
    return spec.shots is None


def is_noisy(spec: DeviceSpec) -> bool:
    """Whether results are those of a noisy circuit: a noise model, a snapshot or a machine."""
    # A plugin that the table does not know is taken for a simulator without noise.
    machine = spec.name in ADAPTERS and can_cost(spec) and spec.name != "ionq.simulator"
    return spec.noise is not None or is_snapshot(spec) or machine


def is_single_precision(spec: DeviceSpec) -> bool:
    """Whether amplitudes, or some of them, are of single precision."""
    # PennyLane 0.45's default.mixed casts RZ and CRZ to complex64 where their angle has no batch dimension.
    unbatched_mixed = spec.name == "default.mixed" and (spec.pack or 1) > 1
    return spec.option("c_dtype") == "complex64" or spec.name == "cirq.mixedsimulator" or unbatched_mixed


def must_sample(spec: DeviceSpec) -> bool:
    """Whether the device gives no exact results at all."""
    return not adapter_for(spec.name).is_exact(spec.option("backend"))


APPLIES: dict[str, Callable[[DeviceSpec], bool]] = {
    "device": lambda _: True,
    "ideal_device": lambda spec: not is_noisy(spec),
    "exact_device": lambda spec: is_exact(spec) and not is_noisy(spec),
    "sampled_device": lambda spec: not is_exact(spec) and not is_noisy(spec),
    "fast_sampled_device": lambda spec: not is_exact(spec) and not is_noisy(spec) and spec.name not in SLOW_SAMPLERS,
    "sampling_only_device": must_sample,
    "seedable_device": takes_seed,
    "seedless_device": lambda spec: not takes_seed(spec),
}
"""Name of a test's argument, and which devices it is given."""
