"""A device is built from its string, or says what is missing."""

from __future__ import annotations

import pickle

import pytest

from hybrid_qproj.devices import DeviceSpec, DeviceSpecError, DeviceUnavailableError, make_device
from hybrid_qproj.devices.checks import BLOCK_WIRES
from hybrid_qproj.heads.quantum import QuantumProjection


def test_is_built_with_wires_for_a_block(device: str) -> None:
    """The live device carries the name of the spec and has wires enough."""
    built = make_device(DeviceSpec.parse(device), BLOCK_WIRES, allow_paid=True)
    assert len(built.wires) >= BLOCK_WIRES
    assert built.name


def test_is_built_on_first_use(device: str) -> None:
    """A head names its device, and builds it only to run; a pickle carries the string."""
    head = QuantumProjection(4, 2, device=device)
    assert str(head.device) == device
    again = pickle.loads(pickle.dumps(head))  # noqa: S301 - made here
    assert again.device == head.device


def test_asks_for_shots_where_it_samples(sampling_only_device: str) -> None:
    """No number of shots is made up."""
    spec = DeviceSpec.parse(sampling_only_device).replace(shots=None)
    with pytest.raises(DeviceUnavailableError, match="how many shots"):
        make_device(spec, BLOCK_WIRES, allow_paid=True)


def test_refuses_an_unknown_option(device: str) -> None:
    """A misspelt option is an error, not ignored, and the keys that exist are listed."""
    spec = DeviceSpec.parse(device)
    with pytest.raises(DeviceSpecError, match=r"option number \d.*keys that exist"):
        spec.replace(options=(*spec.options, ("no_such_option", 1)))
