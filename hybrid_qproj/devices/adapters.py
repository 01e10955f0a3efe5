"""What a row of the table of devices can say: packages, options, seeds, exactness, wrappers, compiler, cost, size.

Everything that is special of a device is said by its row, in `hybrid_qproj.devices.table`; nothing else asks what a
device is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pennylane.devices import Device
from pennylane.tape import QuantumScript

from hybrid_qproj.devices.options import Kind

Seeding = Literal["device", "circuit", "backend"]
"""Where a seed goes: to the device once; to every circuit anew (a single seed would repeat the same noise); or to
every circuit of a simulated backend, and nowhere on a real one. The last two are done by a wrapper of the row."""
Where = bool | tuple[str, ...]
"""Whether something holds of a device: always, never, or with these values of its options."""


class Asked(Protocol):
    """What a row's functions read of a `DeviceSpec`."""

    @property
    def name(self) -> str:
        """PennyLane device name."""

    @property
    def shots(self) -> int | None:
        """Circuit repetitions; None where results are exact."""

    @property
    def seed(self) -> int | None:
        """Seed of the shots."""

    @property
    def options(self) -> tuple[tuple[str, Any], ...]:
        """Keys and values of the device's own options."""

    def option(self, key: str) -> Any:
        """Value of one of them; None if it is not given."""


class Backends(Protocol):
    """Backends of a device by their names: machines, and calibration snapshots of machines."""

    example: str
    """What to write where no backend is named, in words."""

    def is_snapshot(self, name: str) -> bool:
        """Whether it is a snapshot, which runs here and costs nothing, by its name alone."""

    def find(self, name: str, wires: int) -> Any:
        """The live backend, of so many wires at least: a machine is looked up, a snapshot is not.

        It has ``num_qubits``, and a qiskit ``coupling_map`` if blocks are to be laid on it without routing.

        Raises:
            DeviceUnavailableError: there is none, or it is too small.
        """

    def stand_in(self, name: str) -> Any:
        """The snapshot of this name, or of the machine of this name: None where nobody took one. Nobody is contacted.

        Raises:
            DeviceUnavailableError: it is the name of a snapshot that does not exist.
        """


@dataclass(frozen=True)
class Compiled:
    """Size of a compiled circuit.

    Args:
        target: what it was compiled for, in words.
        wires: wires that the circuit uses.
        depth: layers of gates; measurements are none.
        two_qubit_gates: gates on two wires.
    """

    target: str
    wires: int
    depth: int
    two_qubit_gates: int


Wrapper = Callable[[Device, Asked], Device]
"""A device around a device, which changes one thing of it: see `hybrid_qproj.devices.wrappers.delegate.Delegate`."""
Arguments = Callable[[Asked], Mapping[str, Any]]
"""Arguments of a device's constructor, in place of the string's options: some may be a wrapper's."""
Compiler = Callable[[QuantumScript, Asked], Compiled]
"""Compiles a circuit without batch dimension as the device would, to see how large it becomes."""


@dataclass(frozen=True)
class Adapter:
    """How the package drives one PennyLane device.

    Args:
        name: the name in device strings; PennyLane's name of the device, unless ``builds`` gives that.
        install: pip requirement that brings the device.
        plugin: distribution of the plugin and its lowest version that works, for the error of an older one.
        builds: PennyLane's name of the device that is built: several rows may drive one, each in a way of its own.
        options: keys its constructor takes from a device string, and what their values may be. No other key goes into a
            string, so that no credential is printed or saved with a model.
        arguments: what the constructor is given, but for wires and seed; None gives it the options as they are.
        wrappers: what goes around the live device, the first one innermost.
        compiler: the device's own compiler; None counts gates before it.
        backends: the device's backends by name; one of them must then be named.
        batches: whether one simulation takes a whole batch of parameters; the others get one tape a sample.
        exact: whether expectation values without shots are exact; such a device may run without ``shots``.
        exact_backends: values of the option ``backend`` that are exact where the device otherwise samples; shots that
            are drawn from them take no seed.
        exact_matrices: whether a string of the name alone gives what the product of the gates' matrices gives, which
            is then computed instead; not around a wrapper.
        noise: whether it simulates the noise that ``noise=`` describes.
        density: where it simulates a density matrix.
        single: where amplitudes are of single precision.
        single_packed: whether results are of single precision where blocks share a circuit.
        machine: whether results are a noisy machine's, or a snapshot's of one.
        seeding: how a seed is given; None where there is no way.
        gradient: gradient method without shots.
        sampled_gradient: gradient method with shots.
        pack: blocks side by side in one circuit; None fills the backend's qubits.
        in_tuples: whether single results come in tuples of one, against PennyLane's rule, and are wanted back so.
        max_wires: most wires it simulates; None where the backend decides, or memory.
        paid: whether it is reached through somebody's account, so that runs can cost money.
        needs: what a string for the device must hold besides shots, or what must be set up, in words.
        secrets: environment variables in which the provider's own tools look for credentials.
        hint: what to check when the device cannot be built.
        gpu: whether it needs an NVIDIA GPU.
        slow: whether a circuit takes so long that hundreds are too many for a test.
        trials: what follows its name in the strings that `hybrid_qproj.conformance` tests where it is installed.
        slow_trials: the same, for tests marked slow.
    """

    name: str
    install: str
    plugin: tuple[str, str] = ("pennylane", "0.45.1")
    builds: str = ""
    options: Mapping[str, Kind] = field(default_factory=dict, hash=False)
    arguments: Arguments | None = None
    wrappers: tuple[Wrapper, ...] = ()
    compiler: Compiler | None = None
    backends: Backends | None = None
    batches: bool = False
    exact: bool = False
    exact_backends: tuple[str, ...] = ()
    exact_matrices: bool = False
    noise: bool = False
    density: Where = False
    single: Where = False
    single_packed: bool = False
    machine: bool = False
    seeding: Seeding | None = None
    gradient: str = "parameter-shift"
    sampled_gradient: str = "parameter-shift"
    pack: int | None = 1
    in_tuples: bool = False
    max_wires: int | None = None
    paid: bool = False
    needs: str = ""
    secrets: tuple[str, ...] = ()
    hint: str = ""
    gpu: bool = False
    slow: bool = False
    trials: tuple[str, ...] = ()
    slow_trials: tuple[str, ...] = ()

    @property
    def built(self) -> str:
        """PennyLane's name of the device that is built."""
        return self.builds or self.name

    def is_exact(self, backend: str | None) -> bool:
        """Whether expectation values are exact when no shots are set.

        Args:
            backend: value of the option ``backend``, if there is one.
        """
        return self.exact or backend in self.exact_backends

    def is_snapshot(self, asked: Asked) -> bool:
        """Whether a calibration snapshot is asked for, which is simulated here with its noise."""
        return self.backends is not None and self.backends.is_snapshot(str(asked.option("backend")))

    def is_density(self, asked: Asked) -> bool:
        """Whether a density matrix is simulated; a snapshot's noise needs one."""
        return self.is_snapshot(asked) or _holds(self.density, asked)

    def is_single(self, asked: Asked) -> bool:
        """Whether amplitudes are of single precision."""
        return _holds(self.single, asked)


def _holds(where: Where, asked: Asked) -> bool:
    return where if isinstance(where, bool) else any(value in where for _, value in asked.options)
