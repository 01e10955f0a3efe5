"""What a device can and cannot do, asked before it is built: errors name what to install or to change."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, entry_points, version

from packaging.version import Version

from hybrid_qproj._util.suggest import suggestion
from hybrid_qproj.devices.errors import DeviceUnavailableError
from hybrid_qproj.devices.size import check_wires
from hybrid_qproj.devices.spec import DeviceSpec, shown
from hybrid_qproj.devices.table import ADAPTERS

BLOCK_WIRES = 2
PLUGIN = "hybrid_qproj"
"""PennyLane's name of the device that takes a device string, `hybrid_qproj.devices.plugin.StringDevice`."""


def installed_devices() -> list[str]:
    """Names of the devices whose plugins are installed, without importing any plugin; our own leads back here."""
    return sorted({point.name for point in entry_points(group="pennylane.plugins")} - {PLUGIN})


def check_usable(spec: DeviceSpec, wires: int = BLOCK_WIRES) -> None:
    """Refuse, before work begins, a device that would be refused when circuits run; nothing is built or contacted.

    Args:
        spec: the device.
        wires: wires of one block's circuit.

    Raises:
        DeviceUnavailableError: the name is unknown, the plugin missing or too old, a backend snapshot does not exist,
            or the device cannot do what is asked of it.
        MissingExtraError: a backend snapshot is named, and qiskit-ibm-runtime is not installed.
    """
    check_known(spec.name)
    # First what has to be changed in any case, then what has to be installed for it.
    check_request(spec)
    check_installed(spec)
    check_wires(spec, spec.pack or 1, wires)
    if spec.adapter.backends is not None and spec.is_snapshot:
        spec.adapter.backends.stand_in(spec.option("backend"))


def check_known(name: str) -> None:
    """Refuse a device that is neither in the table nor installed; one in the table may be missing here.

    Args:
        name: PennyLane device name.

    Raises:
        DeviceUnavailableError: nobody knows it.
    """
    if name not in ADAPTERS and name not in installed_devices():
        hint = suggestion(name, sorted({*ADAPTERS, *installed_devices()}), otherwise=";")
        raise DeviceUnavailableError(
            f"no device {shown(name)}{hint} known are {', '.join(ADAPTERS)}; other PennyLane plugins work once they "
            "are installed"
        )


def check_installed(spec: DeviceSpec) -> None:
    """Refuse a device whose plugin is missing or too old.

    Args:
        spec: the device; `check_known` has passed.

    Raises:
        DeviceUnavailableError: with the pip command that helps.
    """
    adapter = spec.adapter
    if adapter.built not in installed_devices():
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
            no way to give one, or no backend where one has to be named.
    """
    adapter = spec.adapter
    if adapter.backends is not None and spec.option("backend") is None:
        raise DeviceUnavailableError(f"{spec.name} needs a backend: {adapter.backends.example}")
    if spec.shots is None and not adapter.is_exact(spec.option("backend")):
        raise DeviceUnavailableError(
            f"device {str(spec)!r} samples: say how many shots, as in {str(spec.replace(shots=4000))!r}"
        )
    if spec.noise is not None and not adapter.noise:
        able = " and ".join(row.name for row in ADAPTERS.values() if row.noise)
        raise DeviceUnavailableError(
            f"device {str(spec)!r}: noise=... is simulated on {able} only; backend snapshots "
            "(qiskit.remote?backend=fake_...) carry their own"
        )
    if spec.seed is not None and not takes_seed(spec):
        raise DeviceUnavailableError(f"device {str(spec)!r} takes no seed; leave out seed={spec.seed}")


def takes_seed(spec: DeviceSpec) -> bool:
    """Whether a seed makes the results of a device repeatable.

    Args:
        spec: the device, with or without a seed.
    """
    adapter = spec.adapter
    if adapter.seeding == "backend":
        return spec.is_snapshot
    # From a state vector the qiskit plugin draws shots by itself, with NumPy's global generator.
    return adapter.seeding is not None and spec.option("backend") not in adapter.exact_backends
