"""The devices that are known, a row each. Adding one takes a row, and a file in wrappers/ if it has a quirk."""

from __future__ import annotations

from collections.abc import Mapping

from hybrid_qproj.devices.adapters import Adapter
from hybrid_qproj.devices.backends import IBMBackends
from hybrid_qproj.devices.options import Choice, Either, Flag, Kind, Name, Seconds, Text, Whole
from hybrid_qproj.devices.wrappers import aws, cirq, ibm, lightning, mixed, qiskit

_QISKIT = ("pennylane-qiskit", "0.45.0")
_CIRQ = ("pennylane-cirq", "0.44.0")
# 1.31 does not import with PennyLane 0.45.
_BRAKET = ("amazon-braket-pennylane-plugin", "1.36.1")
_IONQ = ("pennylane-ionq", "0.45.0")
_AWS_SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")

_BACKEND = Name("the name of a backend")
_LEVEL = Whole(0, 3)
LARGEST_BATCH = 1 << 16
MOST_PROCESSES = 64
YEAR_IN_SECONDS = 366 * 24 * 3600
SAMPLED = "shots=1000"
SEEDED = "shots=1000&seed=7"


def _lightning(
    name: str,
    install: str,
    plugin: str,
    options: Mapping[str, Kind] | None = None,
    hint: str = "",
    gpu: bool = False,
    trials: tuple[str, ...] = (),
    slow_trials: tuple[str, ...] = (),
) -> Adapter:
    """The lightning simulators differ in little."""
    return Adapter(
        name,
        install,
        (plugin, "0.45.0"),
        options={
            "c_dtype": Choice(tuple(lightning.COMPLEX)),
            "batch_obs": Either((Flag(), Whole(0, LARGEST_BATCH))),
            **(options or {}),
        },
        arguments=lightning.dtype,
        exact=True,
        single=("complex64",),
        seeding="device",
        gradient="adjoint",
        hint=hint,
        gpu=gpu,
        trials=trials,
        slow_trials=slow_trials,
    )


ADAPTERS: dict[str, Adapter] = {
    adapter.name: adapter
    for adapter in (
        Adapter(
            "default.qubit",
            "pennylane",
            options={"max_workers": Whole(1, MOST_PROCESSES)},
            batches=True,
            exact=True,
            exact_matrices=True,
            seeding="device",
            gradient="backprop",
            trials=("", SEEDED),
        ),
        Adapter(
            "default.mixed",
            "pennylane",
            wrappers=(mixed.rootless,),
            batches=True,
            exact=True,
            noise=True,
            density=True,
            # PennyLane 0.45 casts RZ and CRZ to complex64 where their angle has no batch dimension.
            single_packed=True,
            seeding="device",
            gradient="backprop",
            trials=("", "noise=depolarizing:0.02,readout:0.03"),
            slow_trials=(SEEDED,),
        ),
        _lightning(
            "lightning.qubit",
            "pennylane-lightning",
            "pennylane-lightning",
            trials=("", SEEDED),
            slow_trials=("c_dtype=complex64",),
        ),
        _lightning("lightning.kokkos", "'hybrid-qproj[kokkos]'", "pennylane-lightning-kokkos", slow_trials=("",)),
        _lightning(
            "lightning.gpu",
            "'hybrid-qproj[gpu]'",
            "pennylane-lightning-gpu",
            {"use_async": Flag()},
            "It needs an NVIDIA GPU, its driver, and the CUDA 12 libraries that its wheel requires (custatevec-cu12, "
            "nvidia-*-cu12); a torch built for CUDA 13 does not bring them",
            gpu=True,
            slow_trials=("",),
        ),
        Adapter(
            "qiskit.aer",
            "'hybrid-qproj[qiskit]'",
            _QISKIT,
            options={
                "backend": Choice(qiskit.AER_BACKENDS),
                "method": Choice(qiskit.AER_METHODS),
                "optimization_level": _LEVEL,
            },
            wrappers=(qiskit.reseeded,),
            compiler=qiskit.compile_for_aer,
            exact_backends=("aer_simulator_statevector",),
            density=("density_matrix", "aer_simulator_density_matrix"),
            seeding="circuit",
            slow=True,
            slow_trials=("backend=aer_simulator_statevector", SEEDED),
        ),
        Adapter(
            "qiskit.basicsim",
            "'hybrid-qproj[qiskit]'",
            _QISKIT,
            wrappers=(qiskit.reseeded,),
            compiler=qiskit.compile_for_basic_simulator,
            seeding="circuit",
            max_wires=24,
            slow=True,
            slow_trials=(SEEDED,),
        ),
        Adapter(
            "qiskit.remote",
            "'hybrid-qproj[qiskit]'",
            _QISKIT,
            options={"backend": _BACKEND, "optimization_level": _LEVEL, "resilience_level": Whole(0, 2)},
            arguments=ibm.transpiler_seed,
            wrappers=(ibm.one_job, ibm.reseeded),
            compiler=ibm.compile_for_machine,
            backends=IBMBackends(),
            machine=True,
            seeding="backend",
            pack=None,
            in_tuples=True,
            paid=True,
            needs="backend=fake_... (offline, free), or backend=ibm_... and an IBM account",
            secrets=("QISKIT_IBM_TOKEN",),
            slow=True,
            slow_trials=(f"backend=fake_manila&{SEEDED}",),
        ),
        Adapter(
            "braket.local.qubit",
            "'hybrid-qproj[braket]'",
            _BRAKET,
            options={"backend": _BACKEND},
            exact=True,
            density=("braket_dm",),
            slow=True,
            slow_trials=("", "backend=braket_dm", SAMPLED),
        ),
        Adapter(
            "braket.aws.qubit",
            "'hybrid-qproj[braket]'",
            _BRAKET,
            options={
                "device_arn": Text("the ARN of a device", ":./-", 160),
                "s3_destination_folder": Text("BUCKET/PREFIX, beginning with a letter", "./-", 160),
                "poll_timeout_seconds": Seconds(YEAR_IN_SECONDS),
                "parallel": Flag(),
            },
            arguments=aws.destination,
            machine=True,
            pack=None,
            paid=True,
            needs="device_arn=... and an AWS account",
            secrets=_AWS_SECRETS,
        ),
        Adapter(
            "cirq.simulator",
            "'hybrid-qproj[cirq]'",
            _CIRQ,
            arguments=cirq.double_precision,
            exact=True,
            slow_trials=("", SAMPLED),
        ),
        Adapter(
            "cirq.mixedsimulator",
            "'hybrid-qproj[cirq]'",
            _CIRQ,
            exact=True,
            density=True,
            # The plugin leaves no other choice.
            single=True,
            slow_trials=("",),
        ),
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
            machine=True,
            pack=None,
            paid=True,
            needs="an IonQ account",
            secrets=("IONQ_API_KEY",),
        ),
    )
}
"""The devices that are known. `hybrid_qproj.devices.register_device` adds a plugin's own row."""

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
        name: name of a device.

    Returns:
        the adapter. That of an unknown device assumes sampling, one circuit at a time, parameter shift, no options, and
        that a run can cost money.
    """
    return ADAPTERS.get(name) or Adapter(name, "the plugin that brings it", paid=name not in LOCAL)
