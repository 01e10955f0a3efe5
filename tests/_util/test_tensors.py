"""Tensors are read only in the form that is expected, finite and undamaged."""

from __future__ import annotations

import pytest
import torch

from hybrid_qproj._util.tensors import Form, read_metadata, read_tensors, save_tensors, tensors_digest

FORM = {"a": Form((2, 3), (torch.float32,))}


def test_round_trip(tmp_path):
    path, tensors = tmp_path / "x.safetensors", {"a": torch.arange(6.0).view(2, 3).T.contiguous().T}
    save_tensors(path, tensors, {"record": {"shots": 3}})
    assert torch.equal(read_tensors(path, FORM)["a"], tensors["a"])
    assert read_metadata(path) == {"record": {"shots": 3}}


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"a": torch.zeros(2, 4)}, r"tensor 'a' has the shape \(2, 4\); expected \(2, 3\)"),
        ({"a": torch.zeros(2, 3).double()}, "tensor 'a' is of type F64; expected float32"),
        ({"a": torch.tensor([[0.0, 1, torch.nan]] * 2)}, "tensor 'a' holds numbers that are not finite"),
        ({"b": torch.zeros(1)}, "lacks a and has besides b"),
    ],
)
def test_other_tensors_are_refused_by_name(tmp_path, tensors, message):
    save_tensors(tmp_path / "x.safetensors", tensors)
    with pytest.raises(ValueError, match=rf"x\.safetensors.*{message}"):
        read_tensors(tmp_path / "x.safetensors", FORM)


def test_damage_is_told(tmp_path):
    path = tmp_path / "x.safetensors"
    save_tensors(path, {"a": torch.zeros(2, 3)})
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"x\.safetensors is damaged"):
        read_tensors(path, FORM)
    with pytest.raises(ValueError, match="is missing"):
        read_tensors(tmp_path / "none", FORM)


def test_a_digest_tells_names_shapes_types_and_values_apart():
    base = torch.arange(4.0)
    others = [{"b": base}, {"a": base.view(2, 2)}, {"a": base.double()}, {"a": base + 1}, {"a": base, "b": base}]
    digests = {tensors_digest(tensors) for tensors in [{"a": base}, *others]}
    assert len(digests) == len(others) + 1
    assert tensors_digest({"x": base, "y": base + 1}) == tensors_digest({"y": base + 1, "x": base})
