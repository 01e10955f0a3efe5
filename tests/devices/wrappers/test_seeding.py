"""A new seed for every circuit, all from one."""

from __future__ import annotations

import pennylane as qml
import pytest
import torch
from pennylane.tape import QuantumScript

from hybrid_qproj import DeviceSpec, QuantumProjection
from hybrid_qproj.devices.checks import takes_seed
from hybrid_qproj.devices.wrappers.seeding import Reseeded, circuit_seed


class _Fake:
    """Returns the seed that it was given, for every circuit."""

    wires, tracker = qml.wires.Wires([0]), None

    def __init__(self):
        self.seed = None
        self.calls = []

    def execute(self, circuits, config=None):
        self.calls.append(len(circuits))
        return tuple(self.seed for _ in circuits)


def _reseeded(seed=7, together=False):
    fake = _Fake()
    return Reseeded(fake, seed, lambda value: setattr(fake, "seed", value), together), fake


def _tapes(count):
    return [QuantumScript([qml.X(0)], [qml.expval(qml.Z(0))]) for _ in range(count)]


def test_circuits_have_seeds_of_their_own():
    """Within a call and from call to call."""
    device, fake = _reseeded()
    seeds = [*device.execute(_tapes(3)), *device.execute(_tapes(2)), device.execute(_tapes(1)[0])]
    assert len(set(seeds)) == 6
    assert fake.calls == [1] * 6


def test_a_session_repeats():
    """Also if its circuits come in other batches."""
    first, second = _reseeded()[0], _reseeded()[0]
    assert [*first.execute(_tapes(2)), *first.execute(_tapes(2))] == list(second.execute(_tapes(4)))


def test_a_job_has_one_seed():
    """Where all circuits of a call share a seed, the next call gets another one."""
    device, fake = _reseeded(together=True)
    first, second = device.execute(_tapes(3)), device.execute(_tapes(3))
    assert len(set(first)) == len(set(second)) == 1
    assert first[0] != second[0]
    assert fake.calls == [3, 3]


def test_seeds_differ_and_fit_31_bits():
    """No two of the first hundred circuits of two sessions share a seed."""
    seeds = [circuit_seed(seed, number) for seed in (0, 1) for number in range(100)]
    assert len(set(seeds)) == 200
    assert all(0 <= seed < 2**31 for seed in seeds)


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("default.qubit", True),
        ("lightning.qubit?c_dtype=complex64", True),
        ("qiskit.aer", True),
        ("qiskit.aer?backend=aer_simulator_statevector", False),
        ("qiskit.remote?backend=fake_manila", True),
        ("qiskit.remote?backend=ibm_torino", False),
        ("cirq.simulator", False),
        ("braket.local.qubit", False),
        ("my.device", False),
    ],
)
def test_who_takes_a_seed(device, expected):
    """A seed that a device would not follow is not taken."""
    assert takes_seed(DeviceSpec.parse(device)) is expected


@pytest.mark.parametrize("name", ["default.qubit", "lightning.qubit", "default.mixed"])
def test_torch_seed_has_no_part(name):
    """Only the device string's seed decides."""
    head = QuantumProjection(4, 2, device=f"{name}?shots=50&seed=3").eval()
    values = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        head.to_device(f"{name}?shots=50&seed=3")
        with torch.no_grad():
            values.append(head(torch.tensor([[0.3, -0.2, 0.5, 0.1]])))
    assert torch.equal(*values)
