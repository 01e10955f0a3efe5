"""What differs from device to device, as one table: packages, options, seeds, exactness, batching, gradients, size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from hybrid_qproj.devices.options import Choice, Either, Flag, Kind, Name, Seconds, Text, Whole

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
        options: keys its constructor takes from a device string, and what their values may be. No other key goes into a
            string, so that no credential is printed or saved with a model.
        batches: whether one simulation takes a whole batch of parameters; the others get one tape a sample.
        exact: whether expectation values without shots are exact; such a device may run without ``shots``.
        exact_backends: values of the option ``backend`` that are exact where the device otherwise samples.
        seeding: how a seed is given; None where there is no way.
        gradient: gradient method without shots.
        sampled_gradient: gradient method with shots.
        pack: blocks side by side in one circuit; None fills the backend's qubits.
        max_wires: most wires it simulates; None where the backend decides, or memory.
        paid: whether it is reached through somebody's account, so that runs can cost money.
        needs: what a string for the device must hold besides shots, or what must be set up, in words.
        secrets: environment variables in which the provider's own tools look for credentials.
        hint: what to check when the device cannot be built.
    """

    name: str
    install: str
    plugin: tuple[str, str] = ("pennylane", "0.45.1")
    options: Mapping[str, Kind] = field(default_factory=dict, hash=False)
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

_AER_METHODS = (
    "automatic",
    "statevector",
    "density_matrix",
    "stabilizer",
    "matrix_product_state",
    "extended_stabilizer",
    "unitary",
    "superop",
    "tensor_network",
)
_AER_BACKENDS = (
    "aer_simulator",
    *(f"aer_simulator_{method}" for method in _AER_METHODS[1:]),
    "qasm_simulator",
    "statevector_simulator",
    "unitary_simulator",
)
COMPLEX = ("complex64", "complex128")
"""Values of the option ``c_dtype``."""
_BACKEND = Name("the name of a backend")
_LEVEL = Whole(0, 3)
MAX_BATCH = 1 << 16
MAX_PROCESSES = 64
YEAR_S = 366 * 24 * 3600


def _lightning(
    name: str, install: str, plugin: str, options: Mapping[str, Kind] | None = None, hint: str = ""
) -> Adapter:
    """The lightning simulators differ in little."""
    return Adapter(
        name,
        install,
        (plugin, "0.45.0"),
        options={"c_dtype": Choice(COMPLEX), "batch_obs": Either((Flag(), Whole(0, MAX_BATCH))), **(options or {})},
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
            options={"max_workers": Whole(1, MAX_PROCESSES)},
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
            {"use_async": Flag()},
            "It needs an NVIDIA GPU, its driver, and the CUDA 12 libraries that its wheel requires (custatevec-cu12, "
            "nvidia-*-cu12); a torch built for CUDA 13 does not bring them",
        ),
        Adapter(
            "qiskit.aer",
            "'hybrid-qproj[qiskit]'",
            _QISKIT,
            options={"backend": Choice(_AER_BACKENDS), "method": Choice(_AER_METHODS), "optimization_level": _LEVEL},
            exact_backends=("aer_simulator_statevector",),
            seeding="circuit",
        ),
        Adapter("qiskit.basicsim", "'hybrid-qproj[qiskit]'", _QISKIT, seeding="circuit", max_wires=24),
        Adapter(
            "qiskit.remote",
            "'hybrid-qproj[qiskit]'",
            _QISKIT,
            options={"backend": _BACKEND, "optimization_level": _LEVEL, "resilience_level": Whole(0, 2)},
            seeding="backend",
            pack=None,
            paid=True,
            needs="backend=fake_... (offline, free), or backend=ibm_... and an IBM account",
            secrets=("QISKIT_IBM_TOKEN",),
        ),
        Adapter("braket.local.qubit", "'hybrid-qproj[braket]'", _BRAKET, options={"backend": _BACKEND}, exact=True),
        Adapter(
            "braket.aws.qubit",
            "'hybrid-qproj[braket]'",
            _BRAKET,
            options={
                "device_arn": Text("the ARN of a device", ":./-", 160),
                "s3_destination_folder": Text("BUCKET/PREFIX, beginning with a letter", "./-", 160),
                "poll_timeout_seconds": Seconds(YEAR_S),
                "parallel": Flag(),
            },
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
            options={"backend": Name("the name of a machine"), "error_mitigation": _BACKEND},
            pack=None,
            paid=True,
            needs="an IonQ account",
            secrets=("IONQ_API_KEY",),
        ),
    )
}
"""The devices that are known. A plugin's own row, added by who installs it, gives it options and says what it costs."""

LOCAL = frozenset(
    (
        "default.clifford",
        "default.gaussian",
        "default.qutrit",
        "default.qutrit.mixed",
        "default.tensor",
        "lightning.tensor",
        "null.qubit",
        "reference.qubit",
    )
)
"""Other simulators of PennyLane itself, which run in this process; of no other device is that taken for granted."""


def adapter_for(name: str) -> Adapter:
    """The adapter of a device; one with safe settings for a device that is not in the table.

    Args:
        name: PennyLane device name.

    Returns:
        the adapter. That of an unknown device assumes sampling, one circuit at a time, parameter shift, no options, and
        that a run can cost money.
    """
    return ADAPTERS.get(name) or Adapter(name, "the plugin that brings it", paid=name not in LOCAL)
