"""Building devices: what is refused, and with which words."""

from __future__ import annotations

import pytest

from hybrid_qproj import DeviceSpec
from hybrid_qproj.devices import ADAPTERS, DeviceUnavailableError, build, checks, installed_devices, make_device


def _build(text):
    return make_device(DeviceSpec.parse(text), 2)


@pytest.mark.parametrize("text", ["default.qubit?seed=1", "lightning.qubit?c_dtype=complex64", "default.mixed"])
def test_builds(text):
    """The devices of the core install are there, with wires enough."""
    assert len(_build(text).wires) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lightning.qbit", "no device 'lightning.qbit'; did you mean 'lightning.qubit'"),
        ("default.qubit?wires=2&pack=3", "3 blocks of 2 wires need 6 wires"),
        ("default.qubit?noise=depolarizing:0.1", "simulated on default.mixed only"),
        ("null.qubit?shots=3&seed=1", "takes no seed"),
    ],
)
def test_refusals(text, message):
    """Unknown names, options, sizes and seeds."""
    with pytest.raises(DeviceUnavailableError, match=message):
        _build(text)


def test_missing_gpu_libraries_are_explained(monkeypatch):
    """lightning.gpu's own error for missing libraries is kept, with what they are."""

    def fail(*_, **__):
        raise ImportError("Pre-compiled binaries for lightning.gpu are not available.")

    monkeypatch.setattr(checks, "installed_devices", lambda: ["lightning.gpu"])
    monkeypatch.setattr(build.qml, "device", fail)
    with pytest.raises(
        DeviceUnavailableError, match=r"Pre-compiled binaries .* CUDA 12 libraries .*hybrid-qproj\[gpu\]"
    ):
        _build("lightning.gpu?c_dtype=complex64")


@pytest.mark.parametrize("name", [n for n in ADAPTERS if n not in installed_devices()])
def test_missing_plugins_name_the_command(name):
    """A known device that is not installed says how to install it."""
    backend = "backend=fake_sherbrooke&" if ADAPTERS[name].backends else ""
    with pytest.raises(DeviceUnavailableError, match=f"'{name}' is not installed: pip install"):
        make_device(DeviceSpec.parse(f"{name}?{backend}shots=10"), 2, allow_paid=True)
