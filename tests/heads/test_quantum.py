"""The head: both modes, shapes, dtypes, gradients, copies, and what it refuses."""

from __future__ import annotations

import copy
import json
import math
import pickle

import numpy as np
import pytest
import torch

from hybrid_qproj import QuantumProjection, circuits
from hybrid_qproj.circuits import AnsatzError
from hybrid_qproj.devices import DeviceSpecError, DeviceUnavailableError
from hybrid_qproj.fitting import FitSettings
from hybrid_qproj.heads.checkpoint import BINDING
from hybrid_qproj.plan import PlanError


@pytest.mark.parametrize("device", ["default.qubit", "lightning.qubit"])
@pytest.mark.parametrize("name", circuits.names())
def test_modes_agree(name, device):
    """Interpolated equals direct within 1e-6: values, and gradients by weights, scale and inputs."""
    head = QuantumProjection(5, 2, name, device, "tree", "random", scale=1.2).double()
    x = torch.randn(2, 5, dtype=torch.float64, requires_grad=True)
    results = []
    for mode in ("interpolated", "direct"):
        head.to_device(f"{device}?mode={mode}")
        assert head.mode == mode
        angles = head(x)
        gradients = torch.autograd.grad(angles.sin().sum(), [x, *head.parameters()])
        results.append([angles.detach(), *gradients])
    for interpolated, direct in zip(*results, strict=True):
        torch.testing.assert_close(interpolated, direct, rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(6,), (3, 6), (2, 0, 6), (2, 3, 4, 6)])
def test_leading_shapes(shape):
    """Any leading shape, empty ones too, and gradients of an empty batch."""
    head = QuantumProjection(6, 2)
    angles = head(torch.randn(shape))
    assert angles.shape == (*shape[:-1], 2)
    angles.sum().backward()
    assert all(p.grad.isfinite().all() for p in head.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtypes(dtype):
    """The output has the inputs' dtype; half precision is computed in float32."""
    head = QuantumProjection(6, 2, init="random")
    x = torch.randn(5, 6).to(dtype)
    angles = head(x)
    assert angles.dtype == dtype
    torch.testing.assert_close(angles.double(), head(x.double()), atol=2e-2 if dtype.itemsize == 2 else 1e-4, rtol=0)


def test_half_precision_head_and_autocast():
    """A head cast to bfloat16, and one under autocast, still work inside in float32."""
    head = QuantumProjection(6, 2, init="random", scale=1.0)
    x = torch.randn(5, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(head(x), QuantumProjection.forward(head, x))
        assert head(x).dtype == torch.float32
    rounded = copy.deepcopy(head).bfloat16()
    head.load_state_dict({k: v.float() for k, v in rounded.state_dict().items()})
    torch.testing.assert_close(rounded(x), head(x))


@pytest.mark.parametrize("init", ["identity", "random"])
@pytest.mark.parametrize("value", [1e6, -1e6, 3e38, 0.0])
def test_gradients_are_finite_everywhere(value, init):
    """Saturated inputs give finite outputs and gradients."""
    head = QuantumProjection(6, 2, init=init, scale=1.0)
    x = torch.full((2, 6), value)
    x[1, ::2] *= -1
    x.requires_grad_()
    angles = head(x)
    angles.sum().backward()
    assert ((angles >= 0) & (angles <= math.pi)).all()
    assert x.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in head.stages.parameters())


def test_gradients_at_the_poles():
    """A readout of exactly +-1, where arccos has no derivative."""
    head = QuantumProjection(4, 2, "rotor").double()
    torch.nn.init.zeros_(head.stages[0].weights)
    x = torch.tensor([[60.0, -60.0, 0.3, -0.2]], dtype=torch.float64, requires_grad=True)
    angles = head(x)
    assert angles.detach().cos().abs().min() == pytest.approx(1, abs=1e-12)
    angles.sum().backward()
    assert x.grad.isfinite().all()
    assert head.stages[0].weights.grad.isfinite().all()


def test_gradcheck():
    """Gradients equal finite differences."""
    head = QuantumProjection(4, 2, init="random", normalize=True, scale=2.0).double()
    x = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    weights = [p.detach().clone().requires_grad_() for p in head.parameters()]
    names = [name for name, _ in head.named_parameters()]

    def run(inputs, *values):
        return torch.func.functional_call(head, dict(zip(names, values, strict=True)), (inputs,))

    assert torch.autograd.gradcheck(run, (x, *weights))


@pytest.mark.parametrize("name", circuits.names())
def test_identity_start_is_truncation(name):
    """With the identity initialiser output g is nearly the angle of feature g."""
    head = QuantumProjection(12, 4, name, init="identity")
    x = torch.randn(50, 12)
    theta = math.pi / 2 * (1 + x[:, :4].tanh())
    assert (head(x) - theta).abs().median() < 0.15


def test_copies_and_round_trips(tmp_path):
    """deepcopy, pickle, state_dict and a folder give exactly the same outputs."""
    head = QuantumProjection(9, 4, "polar", plan="tree", init="random", normalize=True, scale=1.5, learn_scale=False)
    x = torch.randn(5, 9)
    expected = head.eval()(x)
    head.save(tmp_path / "head")
    fresh = QuantumProjection(9, 4, "polar", plan="tree", normalize=True, scale=1.0, learn_scale=False)
    fresh.load_state_dict(head.state_dict())
    loaded = QuantumProjection.load(tmp_path / "head")
    assert loaded.config() == head.config()
    fresh.eval()
    for twin in (copy.deepcopy(head), pickle.loads(pickle.dumps(head)), fresh, loaded):  # noqa: S301 - our own bytes
        assert torch.equal(twin(x), expected)


def test_loads_where_the_plugin_is_missing(tmp_path):
    """A missing device is replaced at the first circuit, with a warning; one that is asked for is an error."""
    QuantumProjection(6, 2, device="default.qubit?shots=10").save(tmp_path)
    path = tmp_path / "config.json"
    config = {**json.loads(path.read_text()), "device": "nowhere.device?shots=10"}
    # Without what binds it to its weights, as configs of the first format are.
    del config[BINDING]
    path.write_text(json.dumps(config))
    head = QuantumProjection.load(tmp_path)
    assert str(head.device) == "nowhere.device?shots=10"
    with pytest.warns(UserWarning, match=r"saved for a device that is not available here .*'default\.qubit\?shots=10'"):
        assert head(torch.zeros(1, 6)).shape == (1, 2)
    assert str(head.device) == "nowhere.device?shots=10"
    with pytest.raises(DeviceUnavailableError, match=r"no device 'nowhere\.device'"):
        head.to_device("nowhere.device?shots=10")
    with pytest.raises(DeviceUnavailableError, match=r"no device 'lightning\.qbit'; did you mean 'lightning\.qubit'"):
        QuantumProjection(6, 2, device="lightning.qbit")


def test_compiled_head():
    """torch.compile of a head gives the same angles."""
    head = QuantumProjection(6, 2, init="random").eval()
    x = torch.randn(5, 6)
    torch.testing.assert_close(torch.compile(head, backend="eager")(x), head(x))


def test_repr_says_how_it_is_built():
    """Sizes, circuit, device, plan and its raggedness are in the repr."""
    text = repr(QuantumProjection(7, 3, "rotor", "lightning.qubit?mode=direct"))
    for part in ("7 -> 3", "'rotor'", "'lightning.qubit?mode=direct'", "ragged: 2 outputs merge 2 features, 1 merge 3"):
        assert part in text


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(2, 5), r"shape \(2, 5\); expected \(\.\.\., 6\)"),
        (torch.zeros(()), r"shape \(\); expected"),
        (torch.zeros(2, 6, dtype=torch.long), r"type torch\.int64; expected a floating-point tensor"),
        (np.zeros((2, 6)), "type ndarray; expected a floating-point tensor"),
        (torch.tensor([[0.0] * 6, [math.nan] * 6]), "NaN in 1 of 2 rows, first in row 1"),
    ],
)
def test_bad_embeddings(x, message):
    """Each kind of bad input has its own words."""
    with pytest.raises(ValueError, match=message):
        QuantumProjection(6, 2)(x)


@pytest.mark.parametrize(("d", "k"), [(6, 6), (6, 7), (6, 0), (6, -1), (6.0, 2), (6, "2"), (True, 1)])
def test_bad_sizes(d, k):
    """Only 1 <= k < d is a compression."""
    with pytest.raises(ValueError, match=r"out_features|in_features"):
        QuantumProjection(d, k)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"circuit": "u_cv"}, AnsatzError, "did you mean 'u_cu'"),
        ({"init": "ones"}, AnsatzError, "no initialiser 'ones'; it has: random, identity"),
        ({"plan": "ring"}, PlanError, "no plan 'ring'"),
        ({"device": "default.qubit?shots"}, DeviceSpecError, "is not key=value"),
        ({"scale": -1.0}, ValueError, "expected a positive finite number"),
    ],
)
def test_bad_settings(arguments, error, message):
    """Each wrong setting says what is expected."""
    with pytest.raises(error, match=message):
        QuantumProjection(6, 2, **arguments)


def test_unsaveable_ansatz(tmp_path):
    """An ansatz that nobody could find again is not saved, and nothing is written."""
    from dataclasses import replace  # noqa: PLC0415 - only here

    head = QuantumProjection(6, 2, replace(circuits.get("rotor"), name="nameless"))
    with pytest.raises(AnsatzError, match="cannot be saved"):
        head.save(tmp_path / "head")
    assert not list(tmp_path.rglob("*.*"))


def test_a_rotation_keeps_all_numbers(tmp_path):
    """k = d with a plan that mixes: cosines of deviations are those of the embeddings; saved like any head."""
    embeddings = torch.randn(200, 12, generator=torch.Generator().manual_seed(0))
    head = QuantumProjection.fit(embeddings, 12, settings=FitSettings(mixing=3, merging="select"), scale=0.01)
    units, deviations = torch.nn.functional.normalize(embeddings, dim=1), head(embeddings).detach() - math.pi / 2
    torch.testing.assert_close(deviations @ deviations.T, units @ units.T, atol=1e-3, rtol=0)
    head.save(tmp_path / "head")
    assert torch.equal(QuantumProjection.load(tmp_path / "head")(embeddings), head(embeddings))
