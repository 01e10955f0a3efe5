"""What differs from device to device, as one table: packages, seeds, exactness, batching, gradients, size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Seeding = Literal["device", "circuit", "backend"]
"""Where a seed goes: to the device once; to every circuit anew (a single seed would repeat the same noise); or to
every circuit of a simulated backend, and nowhere on a real one."""


@dataclass(frozen=True)
class Adapter:
    """How the package drives one PennyLane device.

    Args:
        name: PennyLane device name.
        install: pip requirement that brings the device.
        plugin: distribution of the plugin and its lowest version that works, for the error of an older one.
        options: keys its constructor takes from a device string.
        batches: whether one simulation takes a whole batch of parameters; the others get one tape a sample.
        exact: whether expectation values without shots are exact; such a device may run without ``shots``.
        exact_backends: values of the option ``backend`` that are exact where the device otherwise samples.
        seeding: how a seed is given; None where there is no way.
        gradient: gradient method without shots.
        sampled_gradient: gradient method with shots.
        pack: blocks side by side in one circuit; None fills the backend's qubits.
        max_wires: most wires it simulates; None where memory or the backend decides.
        paid: whether runs can cost money.
        needs: what a string for the device must hold besides shots, or what must be set up, in words.
        secrets: environment variables in which the provider's own tools look for credentials.
        hint: what to check when the device cannot be built.
    """

    name: str
    install: str
    plugin: tuple[str, str] = ("pennylane", "0.45.1")
    options: tuple[str, ...] = ()
    batches: bool = False
    exact: bool = False
    exact_backends: tuple[str, ...] = ()
    seeding: Seeding | None = None
    gradient: str = "parameter-shift"
    sampled_gradient: str = "parameter-shift"
    pack: int | None = 1
    max_wires: int | None = None
    paid: bool = False
    needs: str = ""
    secrets: tuple[str, ...] = ()
    hint: str = ""

    def is_exact(self, backend: str | None) -> bool:
        """Whether expectation values are exact when no shots are set.

        Args:
            backend: value of the option ``backend``, if there is one.
        """
        return self.exact or backend in self.exact_backends


_QISKIT = ("pennylane-qiskit", "0.45.0")
_CIRQ = ("pennylane-cirq", "0.44.0")
# 1.31 does not import with PennyLane 0.45.
_BRAKET = ("amazon-braket-pennylane-plugin", "1.36.1")
_IONQ = ("pennylane-ionq", "0.45.0")
_AWS_SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def _lightning(name: str, install: str, plugin: str, options: tuple[str, ...] = (), hint: str = "") -> Adapter:
    """The lightning simulators differ in little."""
    return Adapter(
        name,
        install,
        (plugin, "0.45.0"),
        options=("c_dtype", "batch_obs", *options),
        exact=True,
        seeding="device",
        gradient="adjoint",
        hint=hint,
    )


ADAPTERS: dict[str, Adapter] = {
    adapter.name: adapter
    for adapter in (
        Adapter(
            "default.qubit",
            "pennylane",
            options=("max_workers",),
            batches=True,
            exact=True,
            seeding="device",
            gradient="backprop",
        ),
        Adapter("default.mixed", "pennylane", batches=True, exact=True, seeding="device", gradient="backprop"),
        _lightning("lightning.qubit", "pennylane-lightning", "pennylane-lightning"),
        _lightning("lightning.kokkos", "'hybrid-qproj[kokkos]'", "pennylane-lightning-kokkos"),
        _lightning(
            "lightning.gpu",
            "'hybrid-qproj[gpu]'",
            "pennylane-lightning-gpu",
            ("use_async",),
            "It needs an NVIDIA GPU, its driver, and the CUDA 12 libraries that its wheel requires (custatevec-cu12, "
            "nvidia-*-cu12); a torch built for CUDA 13 does not bring them",
        ),
        Adapter(
            "qiskit.aer",
            "'hybrid-qproj[qiskit]'",
            _QISKIT,
            options=("backend", "method", "optimization_level"),
            exact_backends=("aer_simulator_statevector",),
            seeding="circuit",
        ),
        Adapter("qiskit.basicsim", "'hybrid-qproj[qiskit]'", _QISKIT, seeding="circuit", max_wires=24),
        Adapter(
            "qiskit.remote",
            "'hybrid-qproj[qiskit]'",
            _QISKIT,
            options=("backend", "optimization_level", "resilience_level"),
            seeding="backend",
            pack=None,
            paid=True,
            needs="backend=fake_... (offline, free), or backend=ibm_... and an IBM account",
            secrets=("QISKIT_IBM_TOKEN",),
        ),
        Adapter("braket.local.qubit", "'hybrid-qproj[braket]'", _BRAKET, options=("backend",), exact=True),
        Adapter(
            "braket.aws.qubit",
            "'hybrid-qproj[braket]'",
            _BRAKET,
            options=("device_arn", "s3_destination_folder", "poll_timeout_seconds", "parallel"),
            pack=None,
            paid=True,
            needs="device_arn=... and an AWS account",
            secrets=_AWS_SECRETS,
        ),
        Adapter("cirq.simulator", "'hybrid-qproj[cirq]'", _CIRQ, exact=True),
        Adapter("cirq.mixedsimulator", "'hybrid-qproj[cirq]'", _CIRQ, exact=True),
        Adapter(
            "ionq.simulator",
            "pennylane-ionq",
            _IONQ,
            paid=True,
            max_wires=29,
            needs="an IonQ account",
            secrets=("IONQ_API_KEY",),
        ),
        Adapter(
            "ionq.qpu",
            "pennylane-ionq",
            _IONQ,
            options=("backend", "error_mitigation"),
            pack=None,
            paid=True,
            needs="an IonQ account",
            secrets=("IONQ_API_KEY",),
        ),
    )
}


def adapter_for(name: str) -> Adapter:
    """The adapter of a device; one with safe settings for a device that is not in the table.

    Args:
        name: PennyLane device name.

    Returns:
        the adapter. That of an unknown device assumes sampling, one circuit at a time, and parameter shift.
    """
    return ADAPTERS.get(name) or Adapter(name, f"the plugin that brings {name!r}")
