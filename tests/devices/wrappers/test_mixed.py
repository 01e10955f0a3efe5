"""default.mixed's readout has a gradient where a probability is zero."""

from __future__ import annotations

import pennylane as qml
import pytest
import torch

from hybrid_qproj import DeviceSpec
from hybrid_qproj.devices import make_device


@pytest.mark.parametrize("angle", [0.0, torch.pi, 0.7])
def test_gradients_at_the_poles(angle):
    """-sin of the angle; PennyLane's own readout gives NaN at the first."""
    device = make_device(DeviceSpec.parse("default.mixed"), 2)

    @qml.qnode(device, interface="torch", diff_method="backprop")
    def circuit(t):
        qml.RY(t, wires=0)
        return qml.expval(qml.Z(0))

    t = torch.tensor(angle, dtype=torch.float64, requires_grad=True)
    value = circuit(t)
    value.backward()
    assert value.item() == pytest.approx(torch.tensor(angle).cos().item())
    assert t.grad.item() == pytest.approx(-torch.tensor(angle).sin().item(), abs=1e-6)


def test_shots_are_left_alone():
    """A matrix is not read by sampling."""
    device = make_device(DeviceSpec.parse("default.mixed?shots=50&seed=1"), 2)
    tape = qml.tape.QuantumScript([qml.RY(0.5, 0)], [qml.expval(qml.Z(0))], shots=50)
    assert -1 <= float(device.execute(tape)) <= 1
