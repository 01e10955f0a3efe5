"""A codec on disk: the same after reading, and one error for whatever else stands there."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybrid_qproj._util.files import OutputError
from hybrid_qproj.codec import Codec, CodecError
from hybrid_qproj.codec.saved import FILE, RECORD


@pytest.fixture
def folder(angles, tmp_path):
    Codec.fit(angles, 12, head="a" * 32, score="fidelity").save(tmp_path / "codec")
    return tmp_path / "codec"


def rewrite(folder, record=None, tensors=None):
    """The file with something else in it."""
    path = folder / FILE
    with safetensors.safe_open(path, framework="pt") as file:
        table = json.loads(file.metadata()[RECORD])
        content = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    table = {**table, **(record or {})}
    safetensors.torch.save_file({**content, **(tensors or {})}, path, {RECORD: json.dumps(table)})


def test_read_back(folder, angles):
    codec, expected = Codec.load(folder), Codec.fit(angles, 12, head="a" * 32, score="fidelity")
    assert codec.config() == expected.config()
    assert codec.fingerprint == expected.fingerprint
    assert torch.equal(codec.encode(angles), expected.encode(angles))
    assert codec.stored_numbers == 3 * 48
    assert [path.name for path in folder.iterdir()] == [FILE]


def test_an_older_one_is_replaced(folder, angles):
    Codec.fit(angles, 5, "signs").save(folder)
    assert Codec.load(folder).scheme.name == "signs"


def test_a_file_in_the_way(tmp_path, angles):
    (tmp_path / "codec").write_text("mine")
    with pytest.raises(OutputError):
        Codec.fit(angles, 12).save(tmp_path / "codec")
    assert (tmp_path / "codec").read_text() == "mine"


def test_nothing_there(tmp_path):
    with pytest.raises(CodecError, match=r"holds no codec: codec\.safetensors is missing"):
        Codec.load(tmp_path)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"format": "hybrid-qproj codec 9"}, "is not of the format"),
        ({"scheme": "pickle"}, "no codec 'pickle'"),
        ({"bytes": 13}, "is damaged"),
        ({"bytes": 49}, "1 to 48 only"),
        ({"bytes": "12"}, "bytes: "),
        ({"width": 1 << 30}, "width: "),
        ({"width": 47}, "has the shape"),
        ({"similarity": "cosine"}, "compares angles"),
        ({"score": "cosine"}, "not as it was written"),
        ({"head": "b" * 32}, "not as it was written"),
        ({"head": "x"}, "head: "),
        ({"more": 1}, "more: "),
        ({"fingerprint": "0" * 32}, "not as it was written"),
    ],
)
def test_another_record(folder, record, message):
    rewrite(folder, record)
    with pytest.raises(CodecError, match=message):
        Codec.load(folder)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"bits": torch.full((48,), 2, dtype=torch.uint8)}, "not as it was written"),
        ({"bits": torch.full((48,), 3, dtype=torch.uint8)}, "144 bits"),
        ({"bits": torch.tensor([96] + [0] * 47, dtype=torch.uint8)}, "8 at most"),
        ({"deviation": -torch.ones(48)}, "no negative deviation"),
        ({"mean": torch.full((48,), torch.nan)}, "not finite"),
        ({"mean": torch.full((48,), 1e30)}, "holds numbers above"),
        ({"mean": torch.ones(48, dtype=torch.float64)}, "expected float32"),
        ({"other": torch.ones(1)}, "has besides other"),
    ],
)
def test_other_tensors(folder, tensors, message):
    rewrite(folder, tensors=tensors)
    with pytest.raises(CodecError, match=message):
        Codec.load(folder)


@given(st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_byte_is_wrong(folder, angles, data):
    """Refused by name, or by the fingerprint; a blank of another kind between names changes nothing."""
    path = folder / FILE
    whole = path.read_bytes()
    content, before = bytearray(whole), Codec.load(folder).fingerprint
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        path.write_bytes(bytes(content))
        if bytes(content).split() == whole.split():
            # A blank between the header's names, which changes nothing; within a name it is refused.
            with suppress(CodecError):
                assert Codec.load(folder).fingerprint == before
            return
        with pytest.raises(CodecError, match=r"codec\.safetensors"):
            Codec.load(folder)
    finally:
        path.write_bytes(whole)


@given(st.integers(0, 2000))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_cut_short(folder, length):
    path = folder / FILE
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[: min(length, len(whole) - 1)])
        with pytest.raises(CodecError, match=r"codec\.safetensors"):
            Codec.load(folder)
    finally:
        path.write_bytes(whole)
