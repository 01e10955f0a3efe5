"""Noise by string: what is refused, and values worked out by hand on the Bloch sphere."""

from __future__ import annotations

import math

import pytest
import torch

from hybrid_qproj import DeviceSpec
from hybrid_qproj.blocks.executor import BlockExecutor
from hybrid_qproj.circuits import get
from hybrid_qproj.devices import DeviceSpecError, DeviceUnavailableError, make_device
from hybrid_qproj.devices.noise import noise_model, parse_noise

A, B, ALPHA = 0.7, 1.1, 0.4


def _rotor(noise):
    return BlockExecutor(get("rotor"), DeviceSpec("default.mixed", noise=noise))


def _value(noise, a=A, b=B, alpha=ALPHA):
    return _rotor(noise)(
        torch.tensor([[a, b]], dtype=torch.float64), torch.tensor([[alpha]], dtype=torch.float64)
    ).item()


def test_parse():
    """Kinds in the order given."""
    assert list(parse_noise("readout:0.1,bit_flip:1,depolarizing:1e-3").items()) == [
        ("readout", 0.1),
        ("bit_flip", 1.0),
        ("depolarizing", 0.001),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected kinds of depolarizing, .*, readout, each once$"),
        ("depolarising:0.1", "part number 1: .*did you mean 'depolarizing'"),
        ("readout:0.1,readout:0.2", "part number 2: .*each once"),
        ("readout:0.1,", "part number 2"),
        ("readout", r"readout needs a probability in \[0, 1\], as in readout:0.01"),
        ("readout:a", "readout needs a probability"),
        ("readout:1.5", "readout needs a probability"),
        ("readout:-0.1", "readout needs a probability"),
        ("readout:nan", "readout needs a probability"),
    ],
)
def test_parse_errors(text, message):
    """Where in the string, and what was expected."""
    with pytest.raises(DeviceSpecError, match=message):
        parse_noise(text)


def test_only_the_density_matrix_simulates_it():
    """Elsewhere noise would be left out silently."""
    with pytest.raises(DeviceUnavailableError, match=r"default\.mixed only"):
        make_device(DeviceSpec("lightning.qubit", noise="readout:0.1"), 2)


def test_no_noise_is_no_noise():
    """Strength 0 changes nothing: z' = cos(alpha) z_b + sin(alpha) x_b z_c."""
    exact = math.cos(ALPHA) * math.cos(B) + math.sin(ALPHA) * math.sin(B) * math.cos(A)
    assert _value(None) == pytest.approx(exact, abs=1e-12)
    assert _value("depolarizing:0,readout:0") == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize(("p", "r"), [(0.03, 0.0), (0.0, 0.05), (0.02, 0.1)])
def test_depolarizing_and_readout(p, r):
    """A depolarized qubit's Bloch vector shrinks by s = 1 - 4p/3; a readout flip by 1 - 2r.

    Qubit b goes through three gates: s^3. Its x meets z of the control in the CZ, which went through one: s^4.
    """
    s = 1 - 4 * p / 3
    by_hand = s**3 * math.cos(ALPHA) * math.cos(B) + s**4 * math.sin(ALPHA) * math.sin(B) * math.cos(A)
    assert _value(f"depolarizing:{p},readout:{r}") == pytest.approx((1 - 2 * r) * by_hand, abs=1e-12)


@pytest.mark.parametrize(
    ("kind", "by_hand"),
    [
        ("bit_flip", lambda z, p: (1 - 2 * p) ** 3 * z),
        ("phase_flip", lambda z, _: z),
        ("phase_damping", lambda z, _: z),
        ("amplitude_damping", lambda z, p: 1 - (1 - p) ** 3 * (1 - z)),
    ],
)
def test_other_channels_on_z(kind, by_hand):
    """With alpha = 0 the kept qubit's z goes through three gates that leave it alone, and three channels."""
    assert _value(f"{kind}:0.1", alpha=0.0) == pytest.approx(by_hand(math.cos(B), 0.1), abs=1e-12)


def test_phase_noise_on_x():
    """x_b is read by alpha = pi/2 after two channels on b, each 1 - 2p; z of the control does not see them."""
    expected = (1 - 2 * 0.1) ** 2 * math.sin(B) * math.cos(A)
    assert _value("phase_flip:0.1", alpha=math.pi / 2) == pytest.approx(expected, abs=1e-12)


def test_rows_are_independent():
    """One broadcast run gives what each circuit gives alone."""
    executor = _rotor("depolarizing:0.02,amplitude_damping:0.01,readout:0.03")
    inputs, weights = torch.rand(5, 2).double(), torch.rand(5, 1).double()
    together = executor(inputs, weights)
    alone = torch.cat([executor(inputs[i : i + 1], weights[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize("method", ["backprop", "parameter-shift"])
def test_gradients(method):
    """Of the closed form, by every angle."""
    p, r = 0.02, 0.1
    s = 1 - 4 * p / 3
    spec = DeviceSpec("default.mixed", noise=f"depolarizing:{p},readout:{r}", diff_method=method)
    inputs = torch.tensor([[A, B]], dtype=torch.float64).requires_grad_()
    weights = torch.tensor([[ALPHA]], dtype=torch.float64).requires_grad_()
    value = BlockExecutor(get("rotor"), spec)(inputs, weights).sum()
    found = torch.autograd.grad(value, (inputs, weights))
    (a, b), alpha = inputs[0], weights[0, 0]
    exact = s**3 * alpha.cos() * b.cos() + s**4 * alpha.sin() * b.sin() * a.cos()
    expected = torch.autograd.grad((1 - 2 * r) * exact, (inputs, weights))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


def test_model_of_readout_only():
    """No gate noise is added where none is asked for."""
    model = noise_model({"readout": 0.1})
    assert not model.model_map
    assert len(model.meas_map) == 1


@pytest.mark.parametrize("noise", [None, "readout:0.1"])
def test_gradients_where_a_probability_is_zero(noise):
    """At the first probe the control is in the state 0 exactly; the gradient is a number there too."""
    inputs = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([[ALPHA]], dtype=torch.float64, requires_grad=True)
    found = torch.autograd.grad(_rotor(noise)(inputs, weights).sum(), (inputs, weights))
    shrink = 0.8 if noise else 1.0
    expected = (torch.tensor([[0.0, math.sin(ALPHA)]]), torch.tensor([[-math.sin(ALPHA)]]))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, shrink * other.double(), atol=1e-6, rtol=0)
