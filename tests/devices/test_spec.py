"""The grammar of device strings."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_qproj import DeviceSpec
from hybrid_qproj.devices import DeviceSpecError

specs = st.builds(
    lambda device, **common: DeviceSpec(device[0], **common, options=device[1]),
    device=st.sampled_from(
        [
            ("default.qubit", ()),
            ("default.qubit", (("max_workers", 2),)),
            ("lightning.gpu", (("c_dtype", "complex64"), ("use_async", True), ("batch_obs", 3))),
            ("my_plugin.device-2", ()),
            ("qiskit.remote", (("backend", "fake_torino"), ("optimization_level", 0))),
            ("braket.aws.qubit", (("device_arn", "arn:aws:braket:::device/x"), ("poll_timeout_seconds", 1e-05))),
        ]
    ),
    shots=st.none() | st.integers(1, 10**7),
    seed=st.none() | st.integers(0, 2**63 - 1),
    mode=st.sampled_from(["interpolated", "direct"]),
    pack=st.none() | st.integers(1, 64),
    wires=st.none() | st.integers(2, 200),
    noise=st.none() | st.just("depolarizing:1e-3,readout:0.02"),
    diff_method=st.none() | st.sampled_from(["adjoint", "parameter-shift"]),
)


@given(spec=specs)
def test_round_trips(spec):
    """A spec comes back from its string and from JSON; its string from parsing."""
    assert DeviceSpec.parse(str(spec)) == spec
    assert str(DeviceSpec.parse(str(spec))) == str(spec)
    assert DeviceSpec.from_table(json.loads(json.dumps(spec.table()))) == spec


@pytest.mark.parametrize(
    "text",
    [
        "default.qubit",
        "qiskit.remote?backend=fake_sherbrooke&shots=4000",
        "default.mixed?noise=depolarizing:0.01,readout:0.02&seed=3",
        "braket.aws.qubit?device_arn=arn:aws:braket:::device/quantum-simulator/amazon/sv1&shots=100",
        "lightning.qubit?mode=direct&c_dtype=complex64",
    ],
)
def test_same_string_back(text):
    """The order of the keys is kept."""
    assert str(DeviceSpec.parse(text)) == text


def test_typed_values():
    """Values become numbers and booleans where they look like them."""
    spec = DeviceSpec.parse("braket.aws.qubit?shots=10&parallel=true&poll_timeout_seconds=1e-3&device_arn=arn:abc")
    assert spec.shots == 10
    assert dict(spec.options) == {"parallel": True, "poll_timeout_seconds": 1e-3, "device_arn": "arn:abc"}
    assert dict(DeviceSpec.parse("lightning.qubit?batch_obs=2").options) == {"batch_obs": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no device name"),
        ("default qubit", "is no device name"),
        ("a.b?", "nothing follows"),
        ("a.b?shots", "is not key=value"),
        ("a.b?shots=1&shots=2", "given twice"),
        ("a.b?shots=0", "expected a whole number >= 1"),
        ("a.b?shots=many", "expected a whole number >= 1"),
        ("a.b?wires=1", "expected a whole number >= 2"),
        ("a.b?mode=dirct", "did you mean 'direct'"),
    ],
)
def test_bad_strings(text, message):
    """Each mistake is named."""
    with pytest.raises(DeviceSpecError, match=message):
        DeviceSpec.parse(text)


@pytest.mark.parametrize("key", ["token", "api_key", "aws_secret", "PASSWORD"])
def test_secrets_are_refused_and_not_repeated(key):
    """A key that looks like a secret is refused without showing its value; the variable to use is named."""
    with pytest.raises(DeviceSpecError, match="QISKIT_IBM_TOKEN") as caught:
        DeviceSpec.parse(f"qiskit.remote?{key}=hunter2")
    assert "hunter2" not in str(caught.value)


def test_table_needs_a_name():
    """A TOML table without a name says which keys it has."""
    with pytest.raises(DeviceSpecError, match="needs the key 'name'; got keys shots"):
        DeviceSpec.from_table({"shots": 3})
