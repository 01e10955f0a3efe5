"""IBM backends by name: snapshots of real machines offline, and the machines themselves."""

from __future__ import annotations

import warnings
from typing import Any

from hybrid_qproj._util.extras import require
from hybrid_qproj._util.suggest import suggestion
from hybrid_qproj.devices.errors import DeviceUnavailableError
from hybrid_qproj.devices.spec import DeviceSpec

IBM = "qiskit.remote"
FAKE = "fake_"
LEAST_BUSY = "least_busy"


def is_simulated(backend: str) -> bool:
    """Whether a name of an IBM backend means a calibration snapshot, which runs here and costs nothing."""
    return backend.startswith(FAKE)


def is_snapshot(spec: DeviceSpec) -> bool:
    """Whether a spec names a calibration snapshot: of IBM's device alone, whatever other devices call ``backend``."""
    return spec.name == IBM and is_simulated(str(spec.option("backend")))


def ibm_backend(name: str, wires: int) -> Any:
    """Find a backend for qiskit.remote.

    Args:
        name: ``fake_*`` (a snapshot, offline), ``ibm_*`` or ``least_busy`` (through QiskitRuntimeService, whose account
            comes from its own file or environment variables).
        wires: wires the circuits need.

    Returns:
        the qiskit backend.

    Raises:
        DeviceUnavailableError: no such backend, too few qubits, no network, or no valid account.
    """
    found = snapshot(name) if is_simulated(name) else _machine(name, wires)
    if found.num_qubits < wires:
        raise DeviceUnavailableError(
            f"backend {name!r} has {found.num_qubits} qubits; {wires} wires are needed. Lower pack or choose another"
        )
    return found


def usable_qubits(backend: Any, wires: int) -> int | None:
    """How many of a backend's qubits blocks can fill without routing.

    Blocks of two wires that sit on disjoint coupled pairs need no swap. Past the largest set of such pairs routing more
    than doubles the depth (127-qubit snapshot, u_cu: 54 blocks at depth 17, 63 at 42).

    Args:
        backend: the qiskit backend; None where there is none.
        wires: wires of a block.

    Returns:
        twice the size of the coupling map's largest matching for blocks of two wires, else all qubits.
    """
    if backend is None:
        return None
    coupling = getattr(backend, "coupling_map", None)
    if wires != 2 or coupling is None:  # noqa: PLR2004 - a plain block has two wires
        return int(backend.num_qubits)
    rustworkx = require("rustworkx", "qiskit", "packing blocks on a coupling map")
    return 2 * len(rustworkx.max_weight_matching(coupling.graph.to_undirected(multigraph=False), max_cardinality=True))


def backend_properties(device: Any) -> dict[str, Any]:
    """What is worth remembering of the machine behind a device.

    Args:
        device: a live device.

    Returns:
        name, qubits, gates and time of the last calibration of an IBM backend; empty for other devices.
    """
    while hasattr(device, "inner"):
        device = device.inner
    backend = getattr(device, "backend", None)
    if backend is None or not hasattr(backend, "operation_names"):
        return {}
    # Ideal simulators have no calibration.
    calibrated = getattr(getattr(backend, "properties", lambda: None)(), "last_update_date", None)
    return {
        "name": str(backend.name),
        "qubits": int(backend.num_qubits),
        "gates": sorted(backend.operation_names),
        "calibrated": None if calibrated is None else str(calibrated),
    }


def snapshot(name: str) -> Any:
    """A backend snapshot.

    Args:
        name: ``fake_*``.

    Returns:
        the qiskit backend.

    Raises:
        DeviceUnavailableError: there is no such snapshot.
        MissingExtraError: qiskit-ibm-runtime is not installed.
    """
    snapshots = _snapshots(name)
    if name not in snapshots:
        hint = suggestion(name, snapshots, otherwise=";")
        raise DeviceUnavailableError(f"no backend snapshot {name!r}{hint} there are {', '.join(sorted(snapshots))}")
    return snapshots[name]


def snapshot_of(machine: str) -> Any:
    """The snapshot of a machine, for what must not look the machine itself up.

    Args:
        machine: ``ibm_*``.

    Returns:
        the qiskit backend; None where nobody took a snapshot.

    Raises:
        MissingExtraError: qiskit-ibm-runtime is not installed.
    """
    return _snapshots(machine).get(FAKE + machine.removeprefix("ibm_"))


def _snapshots(wanted: str) -> dict[str, Any]:
    provider = require("qiskit_ibm_runtime.fake_provider", "qiskit", f"backend {wanted!r}")
    # Listing them builds all of them, and some warn of their own figures.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {backend.name: backend for backend in provider.FakeProviderForBackendV2().backends()}


def _machine(name: str, wires: int) -> Any:
    runtime = require("qiskit_ibm_runtime", "qiskit", f"backend {name!r}")
    try:
        service = runtime.QiskitRuntimeService()
        if name == LEAST_BUSY:
            return service.least_busy(operational=True, simulator=False, min_num_qubits=wires)
        return service.backend(name)
    except Exception as error:
        # The error of a wrong account can quote it; its type and a hint are enough.
        raise DeviceUnavailableError(
            f"IBM backend {name!r} could not be reached ({type(error).__name__}). Check the network, and that an "
            "account is set: QiskitRuntimeService.save_account(...) once, or the environment variable QISKIT_IBM_TOKEN"
        ) from None
