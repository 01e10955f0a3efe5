"""`DeviceSpec` to a live PennyLane device, with errors that say what to install or to change."""

from __future__ import annotations

import difflib
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import Any

import numpy as np
import pennylane as qml
from packaging.version import Version
from pennylane.devices import Device

from hybrid_qproj.devices.adapters import ADAPTERS, Adapter, adapter_for
from hybrid_qproj.devices.backends import ibm_backend, is_simulated, usable_qubits
from hybrid_qproj.devices.errors import DeviceUnavailableError
from hybrid_qproj.devices.failures import Guarded
from hybrid_qproj.devices.ibm import OneJob
from hybrid_qproj.devices.noise import parse_noise
from hybrid_qproj.devices.packing import Packed
from hybrid_qproj.devices.precision import DoublePrecision
from hybrid_qproj.devices.readout import RootlessReadout
from hybrid_qproj.devices.seeding import Reseeded, circuit_seed
from hybrid_qproj.devices.spec import COMMON_KEYS, DeviceSpec
from hybrid_qproj.extras import require

_COMPLEX = {"complex64": np.complex64, "complex128": np.complex128}
# Snapshots are simulated with their noise: the cost doubles with every qubit, so few blocks share a circuit.
SNAPSHOT_PACK = 2


def installed_devices() -> list[str]:
    """Names of the devices whose plugins are installed, without importing any plugin."""
    return sorted({point.name for point in entry_points(group="pennylane.plugins")})


def make_device(spec: DeviceSpec, wires: int) -> Device:
    """Build the device of a spec. Nothing is sent anywhere, but a named IBM machine is looked up.

    Args:
        spec: what to build; its shots belong to the QNode, not to the device.
        wires: wires of one block's circuit.

    Returns:
        the live device.

    Raises:
        DeviceUnavailableError: the name is unknown, the plugin missing or too old, shots missing where the device
            samples, an option not known, a seed not possible, or too few wires.
    """
    adapter = adapter_for(spec.name)
    _check_installed(spec, adapter)
    check_request(spec)
    options = _options(spec, adapter)
    backend = None
    if spec.name == "qiskit.remote":
        backend = options["backend"] = ibm_backend(spec.option("backend"), wires * (spec.pack or 1))
    blocks = blocks_per_circuit(spec, wires, usable_qubits(backend, wires))
    total = spec.wires or wires * blocks
    if total < wires * blocks or (adapter.max_wires and total > adapter.max_wires):
        raise DeviceUnavailableError(
            f"device {str(spec)!r}: {blocks} blocks of {wires} wires need {wires * blocks} wires; it has "
            f"{min(total, adapter.max_wires or total)}. Lower pack, or raise wires"
        )
    try:
        device = qml.device(spec.name, wires=total, **options)
    except Exception as error:
        raise DeviceUnavailableError(
            f"device {str(spec)!r} could not be built: {type(error).__name__}: {_without_secrets(error, adapter)}. "
            f"{adapter.hint or 'Check its options'}, or install it anew: pip install -U {adapter.install}"
        ) from None
    if spec.name == "default.mixed":
        device = RootlessReadout(device)
    if adapter.batches and blocks == 1:
        # Results are torch tensors of double precision already, and one simulation takes all blocks.
        return device
    if spec.name == "qiskit.remote":
        device = OneJob(device)
    device = _seeded(device, spec, adapter)
    if adapter.paid:
        device = Guarded(device, str(spec))
    device = DoublePrecision(device)
    # qiskit.remote breaks the device interface: a single result comes in a tuple, and it wants it back in one.
    return Packed(device, blocks, wires, in_tuple=spec.name == "qiskit.remote") if blocks > 1 else device


def blocks_per_circuit(spec: DeviceSpec, wires: int, qubits: int | None = None) -> int:
    """How many blocks share a circuit on a device.

    Args:
        spec: the device; its ``pack`` decides if it is given.
        wires: wires of a block.
        qubits: qubits of the backend that blocks can fill, where there is one.

    Returns:
        a number of at least 1.
    """
    adapter = adapter_for(spec.name)
    if spec.pack is not None:
        return spec.pack
    available = spec.wires or qubits
    fitting = max(1, available // wires) if available else None
    if is_simulated(str(spec.option("backend"))):
        return min(SNAPSHOT_PACK, fitting or SNAPSHOT_PACK)
    if adapter.pack is not None:
        return adapter.pack
    return fitting or 1


def can_cost(spec: DeviceSpec) -> bool:
    """Whether a run on a device can cost money: remote machines do, their snapshots do not."""
    return adapter_for(spec.name).paid and not is_simulated(str(spec.option("backend")))


def check_known(name: str) -> None:
    """Refuse a device that is neither in the table nor installed; one in the table may be missing here.

    Args:
        name: PennyLane device name.

    Raises:
        DeviceUnavailableError: nobody knows it.
    """
    if name not in ADAPTERS and name not in installed_devices():
        close = difflib.get_close_matches(name, {*ADAPTERS, *installed_devices()}, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ";"
        raise DeviceUnavailableError(
            f"no device {name!r}{hint} known are {', '.join(ADAPTERS)}; other PennyLane plugins work once they "
            "are installed"
        )


def _check_installed(spec: DeviceSpec, adapter: Adapter) -> None:
    check_known(spec.name)
    if spec.name not in installed_devices():
        raise DeviceUnavailableError(f"device {spec.name!r} is not installed: pip install {adapter.install}")
    plugin, lowest = adapter.plugin
    try:
        found = version(plugin)
    except PackageNotFoundError:
        return
    if spec.name in ADAPTERS and Version(found) < Version(lowest):
        raise DeviceUnavailableError(
            f"device {spec.name!r} comes from {plugin} {found}, which is too old; at least {lowest} is needed: "
            f"pip install -U {adapter.install}"
        )


def check_request(spec: DeviceSpec) -> None:
    """Refuse what a device cannot do, whether it is installed or not.

    Args:
        spec: the device.

    Raises:
        DeviceUnavailableError: shots missing where it samples, noise where it is not simulated, a seed where there is
            no way to give one, or an option that does not exist.
        DeviceSpecError: the noise cannot be read.
    """
    adapter = adapter_for(spec.name)
    unknown = [key for key, _ in spec.options if key not in adapter.options]
    if unknown and spec.name in ADAPTERS:
        raise DeviceUnavailableError(
            f"device {spec.name!r} takes no {', '.join(map(repr, unknown))}; keys that exist: "
            f"{', '.join((*COMMON_KEYS, *adapter.options))}"
        )
    backend = spec.option("backend")
    if spec.shots is None and not adapter.is_exact(backend):
        raise DeviceUnavailableError(
            f"device {str(spec)!r} samples: say how many shots, as in {str(spec.replace(shots=4000))!r}"
        )
    if spec.noise is not None:
        parse_noise(spec.noise)
        if spec.name != "default.mixed":
            raise DeviceUnavailableError(
                f"device {str(spec)!r}: noise=... is simulated on default.mixed only; backend snapshots "
                "(qiskit.remote?backend=fake_...) carry their own"
            )
    if spec.seed is not None and not takes_seed(spec):
        raise DeviceUnavailableError(f"device {str(spec)!r} takes no seed; leave out seed={spec.seed}")


def takes_seed(spec: DeviceSpec) -> bool:
    """Whether a seed makes the results of a device repeatable.

    Args:
        spec: the device, with or without a seed.
    """
    adapter, backend = adapter_for(spec.name), spec.option("backend")
    if adapter.seeding == "backend":
        return is_simulated(str(backend))
    # From a state vector the qiskit plugin draws shots by itself, with NumPy's global generator.
    return adapter.seeding is not None and backend not in adapter.exact_backends


def _options(spec: DeviceSpec, adapter: Adapter) -> dict[str, Any]:
    options = dict(spec.options)
    if "c_dtype" in options:
        # lightning accepts any object here at construction and fails, or worse, later.
        if options["c_dtype"] not in _COMPLEX:
            raise DeviceUnavailableError(
                f"c_dtype={options['c_dtype']!r} for {spec.name!r}: expected one of {', '.join(_COMPLEX)}"
            )
        options["c_dtype"] = _COMPLEX[options["c_dtype"]]
    if spec.name == "cirq.simulator":
        # The plugin's own choice is single precision; cirq.mixedsimulator leaves no other.
        options["simulator"] = require("cirq", "cirq", spec.name).Simulator(dtype=np.complex128)
    if spec.seed is not None and adapter.seeding == "device":
        options["seed"] = spec.seed
    if spec.seed is not None and spec.name == "qiskit.remote":
        # Compilation for a coupling map draws random layouts.
        options["seed_transpiler"] = circuit_seed(spec.seed, 0)
    return options


def _seeded(device: Device, spec: DeviceSpec, adapter: Adapter) -> Device:
    if spec.seed is None or adapter.seeding == "device":
        return device
    if adapter.seeding == "circuit":
        arguments = device.target_device.run_args
        return Reseeded(device, spec.seed, lambda seed: arguments.update(seed_simulator=seed))
    # An IBM job has one seed for all its circuits, and draws their noise from it one after the other.
    return Reseeded(
        device, spec.seed, lambda seed: device.inner._kwargs.update(simulator={"seed_simulator": seed}), together=True
    )


def _without_secrets(error: Exception, adapter: Adapter) -> str:
    """The error's message, but not of a provider whose messages may quote an account."""
    return "see the plugin's documentation" if adapter.secrets else str(error)
