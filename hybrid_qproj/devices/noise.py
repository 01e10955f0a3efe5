"""Noise by string, ``depolarizing:0.01,readout:0.02``, as a PennyLane noise model on default.mixed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pennylane as qml

from hybrid_qproj._util.suggest import suggestion
from hybrid_qproj.devices.errors import DeviceSpecError

READOUT = "readout"
EXAMPLE = "depolarizing:0.01,readout:0.02"
MOST_CHARACTERS = 300
CHANNELS: dict[str, Callable[..., Any]] = {
    "depolarizing": qml.DepolarizingChannel,
    "amplitude_damping": qml.AmplitudeDamping,
    "phase_damping": qml.PhaseDamping,
    "bit_flip": qml.BitFlip,
    "phase_flip": qml.PhaseFlip,
}


def parse_noise(text: str) -> dict[str, float]:
    """Read a noise string.

    Args:
        text: ``kind:strength`` pairs separated by commas. After every gate, the channels act on each of its wires, in
            the order given; ``readout`` flips a measured qubit.

    Returns:
        strength of each kind, a probability in [0, 1].

    Raises:
        DeviceSpecError: an unknown or repeated kind, or a strength that is no probability.

    Examples:
        >>> parse_noise("depolarizing:0.01,readout:0.02")
        {'depolarizing': 0.01, 'readout': 0.02}
    """
    kinds = (*CHANNELS, READOUT)
    noise: dict[str, float] = {}
    if not isinstance(text, str) or len(text) > MOST_CHARACTERS:
        raise DeviceSpecError(f"noise: expected text such as {EXAMPLE}, at most {MOST_CHARACTERS} characters")
    for number, part in enumerate(text.split(","), 1):
        kind, _, strength = part.partition(":")
        if kind not in kinds or kind in noise:
            hint = suggestion(kind, [k for k in kinds if k not in noise])
            raise DeviceSpecError(f"noise, part number {number}: expected kinds of {', '.join(kinds)}, each once{hint}")
        value = float(strength) if re.fullmatch(r"[+]?[0-9.]{1,20}([eE][+-]?[0-9]{1,3})?", strength) else -1.0
        if not 0 <= value <= 1:
            raise DeviceSpecError(f"noise: {kind} needs a probability in [0, 1], as in {kind}:0.01")
        noise[kind] = value
    return noise


def noise_model(noise: dict[str, float]) -> qml.NoiseModel:
    """The PennyLane noise model of parsed noise.

    Args:
        noise: strength of each kind.

    Returns:
        the model, for ``qml.add_noise``.
    """

    def after_gate(operation: Any, **_: Any) -> None:
        for kind, strength in noise.items():
            if kind != READOUT:
                for wire in operation.wires:
                    CHANNELS[kind](strength, wires=wire)

    def before_readout(measurement: Any, **_: Any) -> None:
        for wire in measurement.wires:
            qml.BitFlip(noise[READOUT], wires=wire)

    any_gate = qml.BooleanFn(lambda operation: True)
    gates = {any_gate: after_gate} if set(noise) - {READOUT} else {}
    readout = {qml.noise.meas_eq(qml.expval): before_readout} if READOUT in noise else {}
    return qml.NoiseModel(gates, meas_map=readout)
