"""No secret survives in a device string, and no error repeats what it could not read."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from hybrid_qproj import DeviceSpec, QuantumProjection
from hybrid_qproj.devices import ADAPTERS, DeviceSpecError, DeviceUnavailableError
from hybrid_qproj.devices.checks import check_known, check_request

SECRET = "hunter2SWORDFISH"  # noqa: S105 - what must not be repeated

PLACES = [
    "qiskit.remote?auth={s}",
    "qiskit.remote?key={s}",
    "qiskit.remote?pwd={s}",
    "qiskit.remote?bearer={s}",
    "qiskit.remote?instance={s}",
    "qiskit.remote?token={s}&shots",
    "qiskit.remote?token={s}&shots=0",
    "qiskit.remote?shots=10&token={s}",
    "qiskit.remote?{s}=1",
    "qiskit.remote?{s}",
    "qiskit.remote?{s}=",
    "qiskit.remote?={s}",
    "qiskit.remote?shots=1&{s}=1&{s}=2",
    "qiskit.remote?token={s}&token={s}",
    "qiskit.remote?shots={s}",
    "qiskit.remote?shots=10#{s}",
    "qiskit.remote?shots=10?{s}",
    "qiskit.remote#{s}",
    "qiskit.remote {s}",
    "https://user:{s}@host/qiskit.remote",
    "{s}/x?shots=1",
    "{s}{s}{s}{s}?shots=1",
    "?{s}",
    "qiskit.remote?backend=https://host/{s}",
    "qiskit.remote?backend=%74oken%3D{s}",
    "qiskit.remote?back%65nd={s}",
    "qiskit.remote?backend={s}{s}{s}{s}{s}{s}",
    "qiskit.remote?backend={s}",
    "ionq.qpu?backend={s}&shots=10",
    "ionq.qpu?error_mitigation={s}&shots=10",
    "braket.local.qubit?backend={s}",
    "default.qubit?c_dtype={s}",
    "lightning.qubit?c_dtype={s}",
    "default.mixed?noise={s}",
    "default.mixed?noise=readout:{s}",
    "default.mixed?noise=readout:0.1,{s}:0.1",
    "default.qubit?mode={s}",
    "default.qubit?diff_method={s}",
    "default.qubit?seed={s}",
    "default.qubit?options={s}",
    "default.qubit?order={s}",
    "default.qubit?name={s}",
    "somebodys.device?level={s}",
    "braket.aws.qubit?s3_destination_folder=s3://{s}/x",
]


def _told(error):
    return "".join(traceback.format_exception(error)).rpartition("hybrid_qproj.devices.errors.")[2]


@pytest.mark.parametrize("text", PLACES)
def test_a_secret_anywhere_is_refused_and_not_repeated(text):
    """Neither in the message nor in what a traceback chains to it; the head that was asked for does not exist."""
    text = text.format(s=SECRET)
    for ask in (DeviceSpec.parse, lambda t: QuantumProjection(4, 2, device=t)):
        with pytest.raises(DeviceSpecError) as caught:
            ask(text)
        assert SECRET.lower() not in _told(caught.value).lower()
        assert "\n" not in str(caught.value)


def test_of_tables_too():
    """TOML and JSON tables: types that no string has."""
    for table in (
        {SECRET: 1},
        {"name": SECRET + "/"},
        {"name": [SECRET]},
        {"name": "default.qubit", "shots": SECRET},
        {"name": "default.qubit", "shots": [SECRET]},
        {"name": "default.qubit", "noise": {SECRET: 1}},
        {"name": "qiskit.remote", "token": {"x": SECRET}},
        {"name": "qiskit.remote", SECRET: SECRET},
    ):
        with pytest.raises(DeviceSpecError) as caught:
            DeviceSpec.from_table(table)
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ADAPTERS)
def test_only_declared_options(name):
    """Every known device refuses a key that it does not have, and lists those that exist."""
    with pytest.raises(DeviceSpecError, match=r"option number 1; keys that exist: shots, seed, mode"):
        DeviceSpec(name, shots=10, options=(("colour", SECRET),))
    with pytest.raises(DeviceSpecError, match="is given twice"):
        DeviceSpec(name, options=(("shots", 3),))


def test_a_misspelt_key_is_guessed():
    """From the keys that exist; what was written is not repeated."""
    with pytest.raises(DeviceSpecError, match="did you mean 'backend'"):
        DeviceSpec.parse(f"qiskit.remote?bakcend={SECRET}")
    with pytest.raises(DeviceSpecError, match=r"takes no 'c_dtype'"):
        DeviceSpec.parse("default.qubit?c_dtype=complex64")


def test_other_plugins_take_none():
    """Nobody has declared what their options mean; the error says how to."""
    with pytest.raises(DeviceSpecError, match="register_device declares another plugin's options"):
        DeviceSpec.parse("somebodys.device?level=3")


@pytest.mark.parametrize("name", ["x" * 40, "sk-live-0a1b2c3d4e5f", "Zm9vYmFyYmF6cXV4"])
def test_an_unknown_name_that_is_no_word(name):
    """It may be a token in the wrong place."""
    with pytest.raises(DeviceUnavailableError, match="no device of") as caught:
        check_known(name)
    assert name not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "default.qubit?shots=" + "9" * 5000,
        "default.qubit?shots=" + "9" * 900,
        "default.qubit?shots=1000000000000000000000000000000",
        "default.qubit?shots=\u0663",
        "default.qubit?shots=1_000",
        "default.qubit?shots=1e3",
        "default.qubit?seed=-1",
        "default.qubit?wires=1000000000",
        "default.qubit?pack=1000000000",
        "default.qubit?max_workers=100000",
        "braket.aws.qubit?poll_timeout_seconds=1e999",
        "default.mixed?noise=readout:\u0660.\u0661",
        "default.mixed?noise=" + "readout:0.1," * 70,
        "d\u0113fault.qubit",
        "default.qubit\n?shots=3",
        "x" * 10**6,
    ],
)
def test_numbers_out_of_all_bounds(text):
    """One short error each."""
    with pytest.raises(DeviceSpecError) as caught:
        DeviceSpec.parse(text)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("thing", [None, 3, b"default.qubit", ["default.qubit"], {"name": "default.qubit"}])
def test_no_text_at_all(thing):
    """Not an AttributeError."""
    with pytest.raises(DeviceSpecError, match="is no device string"):
        DeviceSpec.parse(thing)


PIECES = st.sampled_from(
    [
        "default.qubit",
        "qiskit.remote",
        "?",
        "&",
        "=",
        "shots",
        "backend",
        "noise",
        "10",
        "fake_x",
        "#",
        "%3D",
        " ",
        ":",
        ",",
    ]
)


def _refusal(ask, *arguments):
    """The message of a refusal; None where there is none."""
    try:
        ask(*arguments)
    except (DeviceUnavailableError, DeviceSpecError) as error:
        return str(error)
    return None


@budget(max_examples=60)
@given(pieces=st.lists(st.one_of(PIECES, st.text(max_size=4), st.just(SECRET)), max_size=9))
def test_any_string_is_a_spec_or_one_error(pieces):
    """A spec comes back from its own string; an error has one line and no secret."""
    text = "".join(pieces)
    message = _refusal(DeviceSpec.parse, text)
    if message is not None:
        assert SECRET not in message
        assert "\n" not in message
        return
    spec = DeviceSpec.parse(text)
    assert DeviceSpec.parse(str(spec)) == spec
    assert DeviceSpec.from_table(spec.table()) == spec
    assert SECRET not in (_refusal(check_known, spec.name) or "")
    # The name of a backend, where one can be read, is none.
    assert SECRET not in (_refusal(check_request, spec) or "") or SECRET in f"{spec.name} {spec.option('backend')}"


@budget(max_examples=40)
@given(text=st.text(max_size=40), key=st.sampled_from(["token", "auth", "colour", "shots", "noise", "mode", "c_dtype"]))
def test_any_value_of_any_key(text, key):
    """Of a key that the device does not take, or a value that the key does not take, nothing is repeated."""
    secret = f"{text}{SECRET}"
    with pytest.raises(DeviceSpecError) as caught:
        DeviceSpec.from_table({"name": "qiskit.aer", key: secret})
    assert SECRET not in str(caught.value)
