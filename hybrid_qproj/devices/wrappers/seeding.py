"""Reproducible noise on devices that would repeat it: a new seed for every circuit, all from one base seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from pennylane.devices import Device
from pennylane.tape import QuantumScript

from hybrid_qproj.devices.wrappers.delegate import Delegate


class Reseeded(Delegate):
    """Runs circuits on another device, with a new seed for each circuit or call.

    Simulators such as qiskit.aer take a seed a run, and replay the same noise in every circuit of every call. Seeds
    are drawn here from the base seed and the number of circuits run before: fresh, and the same in every session.

    Args:
        inner: the device.
        seed: base seed.
        set_seed: gives the inner device the seed of its next circuit.
        together: whether the inner device takes one seed for all circuits of a call.
    """

    def __init__(self, inner: Device, seed: int, set_seed: Callable[[int], None], together: bool = False) -> None:
        super().__init__(inner)
        self.seed = seed
        self.set_seed = set_seed
        self.together = together
        self.circuits = 0

    def execute(self, circuits: Any, execution_config: Any = None) -> Any:
        """Results of each circuit."""
        if isinstance(circuits, QuantumScript):
            return self.execute((circuits,), execution_config)[0]
        results = []
        for group in (circuits,) if self.together else [(circuit,) for circuit in circuits]:
            self.set_seed(circuit_seed(self.seed, self.circuits))
            self.circuits += len(group)
            results.extend(self.inner.execute(group, execution_config))
        return tuple(results)


def circuit_seed(seed: int, number: int) -> int:
    """Seed of a circuit.

    Args:
        seed: base seed, >= 0.
        number: how many circuits ran before.

    Returns:
        a whole number in [0, 2^31), which every simulator takes.

    Examples:
        >>> circuit_seed(7, 0) == circuit_seed(7, 0), circuit_seed(7, 0) == circuit_seed(7, 1)
        (True, False)
    """
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0] >> 1)
