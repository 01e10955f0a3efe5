"""``qml.device("hybrid_qproj", wires=2, string="lightning.qubit?shots=1000")``: a device string for any QNode.

An entry point of PennyLane's plugins. So whatever works on devices of PennyLane works on those of this package, its own
tests of devices among them: ``pl-device-test --device hybrid_qproj --device-kwargs string=lightning.qubit``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pennylane as qml
from pennylane.devices import Device
from pennylane.measurements import Shots

from hybrid_qproj.devices.build import make_device
from hybrid_qproj.devices.checks import PLUGIN, check_known
from hybrid_qproj.devices.cost import can_cost
from hybrid_qproj.devices.errors import DeviceSpecError, PaidDeviceError
from hybrid_qproj.devices.noise import READOUT, noise_model, parse_noise
from hybrid_qproj.devices.spec import DeviceSpec
from hybrid_qproj.devices.wrappers.delegate import Delegate
from hybrid_qproj.devices.wrappers.readout import FlippedReadout

OF_HEADS = ("mode", "pack", "wires")
"""Keys that say how a head runs its blocks; a QNode has arguments and transforms for the same."""


def open_device(spec: DeviceSpec, labels: Sequence[Any], allow_paid: bool = False, work: str = "") -> Device:
    """The device of a spec with its noise, for circuits of any kind. Shots stay the QNode's.

    Args:
        spec: what to build.
        labels: names of its wires.
        allow_paid: whether it may be one that can cost money.
        work: what is to run on it, in words, for the error of one that may not.

    Returns:
        the live device.

    Raises:
        DeviceSpecError: it has a key that only heads have.
        PaidDeviceError: it can cost money and is not allowed; nothing was built or contacted.
        DeviceUnavailableError: it cannot be built here.
    """
    check_keys(spec, OF_HEADS)
    device = make_device(spec.replace(pack=1), len(labels), allow_paid, work, labels)
    return device if spec.noise is None else _with_noise(device, spec.noise)


def check_keys(spec: DeviceSpec, refused: Sequence[str]) -> None:
    """Refuse keys that would have no effect.

    Args:
        spec: the device.
        refused: their names.

    Raises:
        DeviceSpecError: the spec has one of them.
    """
    found = [key for key in refused if key in spec.table()]
    if found:
        raise DeviceSpecError(
            f"{found[0]}=... is for heads. A QNode has arguments for wires and diff_method; "
            "hybrid_qproj.devices.side_by_side packs"
        )


class StringDevice(Delegate):
    """The device of a string, with its shots and its noise, for QNodes of all kinds.

    One that can cost money is refused, with no argument that would allow it: PennyLane fills arguments in from a
    ``config.toml`` in the working directory, and consent is given by no file. `hybrid_qproj.devices.make_device` takes
    it.

    Args:
        wires: number of wires, or their labels.
        shots: circuit repetitions, instead of the string's; None leaves those.
        string: the device string, without ``mode``, ``pack``, ``wires`` and ``diff_method``.
        keys: more keys of the string, since a command line may not take its ``=``: ``noise="depolarizing:0.01"``.

    Raises:
        DeviceSpecError: the string cannot be read, a key is given twice, or is one that only heads have.
        DeviceUnavailableError: it cannot be built here.
        PaidDeviceError: it can cost money.
    """

    def __init__(self, wires: int | Iterable[Any], shots: int | None = None, *, string: str, **keys: Any) -> None:
        if "allow_paid" in keys:
            raise DeviceSpecError(
                f"qml.device({PLUGIN!r}) takes no allow_paid, which PennyLane would read from a file too; "
                "hybrid_qproj.devices.make_device takes it"
            )
        spec = _spec(string, shots, keys)
        check_known(spec.name)
        if can_cost(spec):
            raise PaidDeviceError(
                f"device {str(spec)!r} can cost money; nothing was sent. qml.device({PLUGIN!r}) takes none of these: "
                "hybrid_qproj.devices.make_device(spec, wires, allow_paid=True) does"
            )
        labels = list(range(wires)) if isinstance(wires, int) else list(qml.wires.Wires(wires))
        super().__init__(open_device(spec, labels))
        self.spec = spec
        self._asked = Shots(spec.shots)

    @property
    def name(self) -> str:
        """Of the entry point; `spec` says what runs."""
        return PLUGIN

    @property
    def shots(self) -> Shots:
        """The string's, which QNodes on this device take unless they have their own."""
        return self._asked

    def __repr__(self) -> str:
        return f"<{PLUGIN} device {str(self.spec)!r} (wires={len(self.wires)})>"


def _spec(string: str, shots: int | None, keys: dict[str, Any]) -> DeviceSpec:
    table = DeviceSpec.parse(string).table()
    if shots is not None:
        table["shots"] = shots
    twice = [key for key in keys if key in table]
    if twice:
        raise DeviceSpecError(f"the key {twice[0]!r} is in the string and an argument too; give it once")
    spec = DeviceSpec.from_table({**table, **keys})
    check_keys(spec, (*OF_HEADS, "diff_method"))
    return spec


def _with_noise(device: Device, text: str) -> Device:
    """The device with the noise of its string, which heads add to their QNodes."""
    noise = parse_noise(text)
    readout = noise.pop(READOUT, 0.0)
    if readout:
        # Below the gates' noise, which then comes before the readout and not after.
        device = FlippedReadout(device, readout)
    return qml.add_noise(device, noise_model(noise)) if noise else device
