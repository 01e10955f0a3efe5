"""Each known trap of TorchLayer is closed."""

from __future__ import annotations

import copy
import multiprocessing
import pickle

import pennylane as qml
import pytest
import torch

from hybrid_qproj import circuits, torch_layer
from hybrid_qproj.blocks.executor import BlockExecutor
from hybrid_qproj.blocks.layer import BlockLayer
from hybrid_qproj.devices import DeviceSpec


@pytest.fixture
def layer():
    return torch_layer("u_cu", blocks=3, init="random")


def test_is_a_torch_layer_without_forwarding(layer):
    """A TorchLayer of PennyLane, but layer.device is not somebody else's attribute."""
    assert isinstance(layer, qml.qnn.TorchLayer)
    assert set(layer.state_dict()) == {"weights"}
    with pytest.raises(AttributeError):
        _ = layer.device


@pytest.mark.parametrize("name", circuits.names())
def test_equals_the_oracle(oracle, name):
    """Block g reads inputs 2g and 2g + 1 and gives <Z> of the kept qubit."""
    layer = torch_layer(name, blocks=2, init="random").double()
    x = torch.rand(4, 4, dtype=torch.float64) * 6 - 3
    w = layer.weights.detach().numpy()
    expected = [[oracle.block(name, w[g], row[2 * g], row[2 * g + 1]) for g in range(2)] for row in x.numpy()]
    torch.testing.assert_close(layer(x).detach(), torch.tensor(expected, dtype=torch.float64))


def test_leading_shapes_and_empty_batch(layer):
    """No batch axis, several, and a batch of nothing."""
    x = torch.rand(2, 5, 6)
    assert layer(x).shape == (2, 5, 3)
    torch.testing.assert_close(layer(x)[1, 2], layer(x[1, 2]))
    empty = layer(torch.zeros(0, 6, requires_grad=True))
    assert empty.shape == (0, 3)
    empty.sum().backward()
    assert layer.weights.grad.abs().sum() == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dtypes(layer, dtype):
    """Computed in float32 at least, returned in the inputs' dtype."""
    x = torch.rand(4, 6)
    result = layer(x.to(dtype))
    assert result.dtype == dtype
    torch.testing.assert_close(result.float(), layer(x.to(dtype).float()), atol=5e-3, rtol=0)


def test_weights_assigned_are_used(layer):
    """load_state_dict(assign=True) replaces the Parameter object; the old one must not be used."""
    x = torch.rand(4, 6)
    other = torch_layer("u_cu", blocks=3, init="random")
    layer.load_state_dict(other.state_dict(), assign=True)
    torch.testing.assert_close(layer(x), other(x))


def test_functional_call(layer):
    """torch.func.functional_call runs with the weights it is given, gradients included."""
    x = torch.rand(4, 6)
    other = torch_layer("u_cu", blocks=3, init="random")
    weights = other.weights.detach().clone().requires_grad_()
    result = torch.func.functional_call(layer, {"weights": weights}, (x,))
    torch.testing.assert_close(result, other(x))
    result.sum().backward()
    assert weights.grad.abs().sum() > 0
    assert layer.weights.grad is None


def test_deepcopy_and_pickle(layer):
    """Copies give the same values and share nothing; a used layer pickles."""
    x = torch.rand(4, 6)
    before = layer(x).detach()
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):  # noqa: S301 - our own bytes
        torch.testing.assert_close(twin(x), layer(x), rtol=0, atol=0)
        with torch.no_grad():
            twin.weights.add_(1)
        torch.testing.assert_close(layer(x).detach(), before, rtol=0, atol=0)


def test_spawned_process(layer):
    """A layer goes to a spawned worker, which builds its own device."""
    x = torch.rand(4, 6)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        torch.testing.assert_close(pool.apply(torch.nn.Module.__call__, (layer.requires_grad_(False), x)), layer(x))


def test_trains_in_a_sequential_model():
    """Gradients pass through to layers on both sides."""
    model = torch.nn.Sequential(torch.nn.Linear(5, 8), torch_layer("rotor", blocks=4), torch.nn.Linear(4, 1))
    x = torch.randn(64, 5)
    y = x[:, :1].sin()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for _ in range(25):
        loss = (model(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_compiles(layer):
    """torch.compile of a model around the layer breaks the graph there and gives the same values."""
    model = torch.nn.Sequential(torch.nn.Linear(6, 6), layer)
    x = torch.rand(4, 6)
    torch.testing.assert_close(torch.compile(model, backend="eager")(x), model(x))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_cuda(layer):
    """Values and gradients stay on the GPU the inputs are on."""
    x = torch.rand(4, 6)
    expected = layer(x)
    layer.cuda()
    result = layer(x.cuda())
    assert result.is_cuda
    torch.testing.assert_close(result.cpu(), expected)
    result.sum().backward()
    assert layer.weights.grad.is_cuda


@pytest.mark.parametrize("x", [torch.rand(4, 5), torch.zeros(4, 6, dtype=torch.long), torch.tensor(1.0)])
def test_bad_inputs(layer, x):
    """Wrong width, integers and scalars are one clear error."""
    with pytest.raises(ValueError, match=r"expected floating-point angles of shape \(\.\.\., 6\)"):
        layer(x)


@pytest.mark.parametrize("blocks", [0, -1, 1.5, True])
def test_bad_number_of_blocks(blocks):
    """The number of blocks is a whole positive number."""
    with pytest.raises(ValueError, match="expected a whole number of at least 1"):
        torch_layer("rotor", blocks=blocks)


def test_repr(layer):
    """The repr names ansatz, size and device."""
    assert isinstance(layer, BlockLayer)
    assert repr(layer) == str(layer) == "BlockLayer(u_cu, blocks=3, device='default.qubit')"


def test_tied_blocks_share_weights():
    """The second half of a rotation has the first one's angle, the other way round; both give it its gradient."""
    layer = BlockLayer(circuits.get("rotor"), 3, BlockExecutor(circuits.get("rotor"), DeviceSpec("default.qubit")),
                       "random", None, (0, 0, 2), (False, True, False))  # fmt: skip
    assert layer.weights.shape == (2, 1)
    a, b = layer.weights.detach()[:, 0]
    torch.testing.assert_close(layer.block_weights().detach()[:, 0], torch.stack([a, -a, b]))
    layer.assign(torch.tensor([[0.3], [9.0], [0.7]]))
    torch.testing.assert_close(layer.block_weights().detach()[:, 0], torch.tensor([0.3, -0.3, 0.7]))
    layer(torch.tensor([0.4, 1.3, 1.3, 0.4, 0.5, 0.6])).sum().backward()
    plain = torch_layer("rotor", blocks=3)
    with torch.no_grad():
        plain.weights.copy_(layer.block_weights())
    plain(torch.tensor([0.4, 1.3, 1.3, 0.4, 0.5, 0.6])).sum().backward()
    expected = torch.stack([plain.weights.grad[0] - plain.weights.grad[1], plain.weights.grad[2]])
    torch.testing.assert_close(layer.weights.grad, expected)
    with pytest.raises(circuits.AnsatzError, match="'u_cu' has no mirror"):
        BlockLayer(circuits.get("u_cu"), 2, layer.executor, tied=(0, 0), flipped=(False, True))
