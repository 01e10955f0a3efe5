"""QNodes as people bring them, through torch_layer: shapes, arguments, devices, gradients, and clear errors."""

from __future__ import annotations

import copy
import pickle

import pennylane as qml
import pytest
import torch

from hybrid_qproj import torch_layer
from hybrid_qproj.blocks.qnode_layer import QNodeLayer
from hybrid_qproj.devices import DeviceSpecError, DeviceUnavailableError, PaidDeviceError

WIRES = 3
SHAPES = {"weights": (2, WIRES)}
DEVICES = ["default.qubit", "lightning.qubit", "default.mixed", "default.qubit?diff_method=parameter-shift"]


def gates(inputs, weights):
    qml.AngleEmbedding(inputs, wires=range(WIRES))
    qml.BasicEntanglerLayers(weights, wires=range(WIRES))


def listed(inputs, weights):
    gates(inputs, weights)
    return [qml.expval(qml.Z(wire)) for wire in range(WIRES)]


def in_tuple(inputs, weights):
    return tuple(listed(inputs, weights))


def single(inputs, weights):
    gates(inputs, weights)
    return qml.expval(qml.Z(0))


def one_in_a_list(inputs, weights):
    return [single(inputs, weights)]


def probabilities(inputs, weights):
    gates(inputs, weights)
    return qml.probs(wires=[0, 2])


def mixed_shapes(inputs, weights):
    gates(inputs, weights)
    return qml.expval(qml.X(1)), qml.probs(wires=[0]), qml.var(qml.Z(2))


def by_index(inputs, weights):
    for wire in range(WIRES):
        qml.RX(inputs[wire], wires=wire)
    qml.BasicEntanglerLayers(weights, wires=range(WIRES))
    return [qml.expval(qml.Z(wire)) for wire in range(WIRES)]


def state(inputs, weights):
    gates(inputs, weights)
    return qml.state()


KINDS = {
    listed: (3,),
    in_tuple: (3,),
    single: (),
    one_in_a_list: (1,),
    probabilities: (4,),
    mixed_shapes: (4,),
    by_index: (3,),
}


def expected(function, rows, weights):
    """Row by row on PennyLane's own device, numbers side by side."""
    node = qml.QNode(function, qml.device("default.qubit", wires=WIRES), interface="torch")
    results = []
    for row in rows:
        result = node(row, weights)
        parts = result if isinstance(result, list | tuple) else [result]
        results.append(torch.cat([part.reshape(-1) for part in parts]))
    return torch.stack(results)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("function", KINDS, ids=lambda function: function.__name__)
def test_values_and_gradients(function, device):
    """Whatever it returns, with extra leading axes, and by inputs too."""
    layer = torch_layer(function, device=device, weight_shapes=SHAPES).double()
    x = torch.rand(2, 2, WIRES, dtype=torch.float64, requires_grad=True)
    y = layer(x)
    assert y.shape == (2, 2, *KINDS[function])
    weights = layer.weights.detach().clone().requires_grad_()
    z = expected(function, x.reshape(4, WIRES), weights)
    torch.testing.assert_close(y.reshape(z.shape), z, atol=1e-6, rtol=0)
    scale = torch.rand(z.shape, dtype=torch.float64)
    found = torch.autograd.grad((y.reshape(z.shape) * scale).sum(), [x, layer.weights])
    wanted = torch.autograd.grad((z * scale).sum(), [x, weights])
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


@pytest.mark.parametrize("function", KINDS, ids=lambda function: function.__name__)
def test_rows_alone_and_none(function):
    """A row without a batch, a batch of one, and a batch of nothing."""
    layer = torch_layer(function, weight_shapes=SHAPES)
    empty = layer(torch.zeros(0, WIRES, requires_grad=True))
    assert empty.shape == (0, *KINDS[function])
    empty.sum().backward()
    assert layer.weights.grad.abs().sum() == 0
    x = torch.rand(2, WIRES)
    torch.testing.assert_close(layer(x)[1], layer(x[1]))
    torch.testing.assert_close(layer(x[:1]), layer(x)[:1])


def test_equal_rows_first():
    """Rows that tell nothing about batches do not decide for later ones."""
    layer = torch_layer(by_index, weight_shapes=SHAPES)
    layer(torch.ones(3, WIRES))
    x = torch.rand(3, WIRES)
    torch.testing.assert_close(layer(x), torch.stack([layer(row) for row in x]))


def test_states_are_complex():
    """Not cut to their real parts; float16 has no complex counterpart and takes the next one."""
    layer = torch_layer(state, weight_shapes=SHAPES)
    y = layer(torch.rand(4, WIRES))
    assert (y.shape, y.dtype) == ((4, 8), torch.complex64)
    torch.testing.assert_close(y.abs().square().sum(1), torch.ones(4))
    assert layer(torch.rand(4, WIRES).bfloat16()).dtype == torch.complex64


def test_several_weights_of_several_shapes():
    """By position and by keyword, one number, a vector and a tensor; what has a default keeps it."""

    def circuit(x, rotations, shift, *, closing, strength=0.5):
        qml.AngleEmbedding(strength * x, wires=[4, 1])
        qml.StronglyEntanglingLayers(rotations, wires=[4, 1])
        qml.RY(shift, wires=4)
        qml.RX(closing[0], wires=1)
        return [qml.expval(qml.Z(4)), qml.expval(qml.Y(1))]

    shapes = {"rotations": (2, 2, 3), "shift": (), "closing": 1}
    layer = torch_layer(circuit, weight_shapes=shapes)
    assert {name: tuple(w.shape) for name, w in layer.named_parameters()} == {**shapes, "closing": (1,)}
    y = layer(torch.rand(5, 2))
    y.sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in layer.parameters())
    assert all(weight.min() >= 0 and weight.max() < 2 * torch.pi for weight in layer.parameters())


@pytest.mark.parametrize("labels", [["a", "b"], [7, 3], [-1, "x"]])
@pytest.mark.parametrize("device", ["default.qubit", "lightning.qubit"])
def test_labels_of_wires(labels, device):
    """Names, numbers in any order, and both."""

    def circuit(inputs):
        qml.AngleEmbedding(inputs, wires=labels)
        return qml.probs(wires=labels)

    layer = torch_layer(circuit, device=device)
    x = torch.rand(3, 2)
    one = (x / 2).cos().square()
    torch.testing.assert_close(layer(x).reshape(3, 2, 2).sum(2)[:, 0], one[:, 0])
    assert list(layer.parameters()) == []


def test_a_qnode_keeps_its_device_or_goes_to_another():
    """With its shots, its gradient method and its transforms."""
    device = qml.device("default.qubit", wires=WIRES, seed=3)
    node = qml.set_shots(qml.QNode(listed, device, diff_method="parameter-shift"), 100)
    layer = torch_layer(node, weight_shapes=SHAPES)
    x = torch.rand(2, WIRES, requires_grad=True)
    with qml.Tracker(device) as tracker:
        layer(x).sum().backward()
    assert x.grad.isfinite().all()
    assert tracker.totals["shots"] > 200
    exact = torch_layer(node, device="lightning.qubit", weight_shapes=SHAPES)
    exact.load_state_dict(layer.state_dict())
    assert exact.qnode_weights.keys() == {"weights"}
    torch.testing.assert_close(exact(x), expected(listed, x.detach(), exact.weights.detach()).float())
    assert exact.qnode.device.name == "lightning.qubit"
    assert exact.qnode.diff_method == "parameter-shift"


def test_noise_and_shots_by_string():
    """As every head takes them."""
    noisy = torch_layer(listed, device="default.mixed?noise=depolarizing:0.1", weight_shapes=SHAPES)
    x = torch.rand(2, WIRES)
    plain = torch_layer(listed, weight_shapes=SHAPES)
    plain.load_state_dict(noisy.state_dict())
    assert (noisy(x).abs() < plain(x).abs()).all()
    sampled = torch_layer(listed, device="lightning.qubit?shots=10&seed=1", weight_shapes=SHAPES)
    tenths = 5 * sampled(x).detach() + 5
    torch.testing.assert_close(tenths, tenths.round())
    sampled(x).sum().backward()
    assert sampled.weights.grad.isfinite().all()


def test_it_is_pennylanes_layer():
    """State dicts are exchanged with PennyLane's own layer; values agree."""
    theirs = qml.qnn.TorchLayer(qml.QNode(listed, qml.device("default.qubit", wires=WIRES)), SHAPES)
    ours = torch_layer(listed, weight_shapes=SHAPES)
    assert isinstance(ours, qml.qnn.TorchLayer)
    ours.load_state_dict(theirs.state_dict(), assign=True)
    x = torch.rand(4, WIRES)
    torch.testing.assert_close(ours(x), theirs(x))
    other = {"weights": torch.zeros(2, WIRES)}
    result = torch.func.functional_call(ours, other, (x,))
    torch.testing.assert_close(result, expected(listed, x, other["weights"]).float())


def test_copies_and_pickles():
    """A layer of a module's function goes to other processes; consent does not."""
    layer = torch_layer(listed, device="lightning.qubit", weight_shapes=SHAPES, allow_paid=True)
    x = torch.rand(2, WIRES)
    before = layer(x)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):  # noqa: S301 - our own bytes
        torch.testing.assert_close(twin(x), before)
        assert not twin.executor.allow_paid
    assert repr(layer) == "QNodeLayer(listed, weights=(2, 3), device='lightning.qubit')"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dtypes(dtype):
    """Computed in float32 at least, returned as they came."""
    layer = torch_layer(listed, weight_shapes=SHAPES)
    x = torch.rand(4, WIRES).to(dtype)
    assert layer(x).dtype == dtype
    torch.testing.assert_close(layer(x).float(), layer(x.float()), atol=5e-3, rtol=0)


def test_it_trains():
    """Between two linear layers."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(5, WIRES), torch_layer(listed, weight_shapes=SHAPES), torch.nn.Linear(WIRES, 1)
    )
    x = torch.randn(64, 5)
    y = x[:, :1].sin()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def counted(inputs):
    qml.RX(inputs[0], wires=0)
    return qml.counts(wires=0)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (listed, {}, "argument 'weights' has no default and no shape"),
        (listed, {"weight_shapes": {**SHAPES, "more": 1}}, "names 'more'; the circuit's arguments are inputs, weights"),
        (listed, {"weight_shapes": {"inputs": 1, "weights": 1}}, "no argument for the inputs"),
        (listed, {"weight_shapes": {"weights": 0}}, "expected whole numbers of at least 1"),
        (listed, {"weight_shapes": {"weights": "3"}}, "expected whole numbers of at least 1"),
        (lambda *inputs: None, {}, "arguments without names"),
        (lambda inputs, training: None, {"weight_shapes": {"training": 1}}, "called 'training'.*rename it"),
        (listed, {"weight_shapes": SHAPES, "blocks": 2}, "no blocks and no initialisers"),
        (listed, {"weight_shapes": SHAPES, "init": "identity"}, "no blocks and no initialisers"),
        ("rotor", {"weight_shapes": SHAPES}, "weight_shapes is for a circuit of your own"),
        (listed, {"weight_shapes": SHAPES, "device": "default.qubit?pack=2"}, "pack=... is for heads"),
    ],
)
def test_refusals(function, arguments, message):
    """Before anything runs."""
    with pytest.raises(ValueError, match=message):
        torch_layer(function, **arguments)


def test_refusals_of_a_run():
    """Inputs that are none, results that are no numbers, a vector of shots, and money."""
    layer = torch_layer(listed, weight_shapes=SHAPES)
    for x in (torch.tensor(1.0), torch.zeros(2, WIRES, dtype=torch.long)):
        with pytest.raises(ValueError, match=r"expected floating-point numbers of shape \(..., width\)"):
            layer(x)
    with pytest.raises(ValueError, match="returned a dict, which is no array of numbers"):
        torch_layer(counted, device="default.qubit?shots=10")(torch.rand(2, 1))
    vector = qml.set_shots(qml.QNode(listed, qml.device("default.qubit")), (5, 5))
    with pytest.raises(ValueError, match="a vector of shots"):
        torch_layer(vector, weight_shapes=SHAPES)(torch.rand(2, WIRES))
    with pytest.raises(PaidDeviceError, match="2 circuits of 10 shots"):
        torch_layer(listed, device="ionq.qpu?shots=10", weight_shapes=SHAPES)(torch.rand(2, WIRES))
    with pytest.raises(ValueError, match="built when the layer first runs"):
        _ = torch_layer(listed, weight_shapes=SHAPES).qnode
    with pytest.raises(DeviceUnavailableError, match="no device"):
        torch_layer(listed, device="nobodys.device", weight_shapes=SHAPES)
    with pytest.raises(DeviceSpecError):
        torch_layer(listed, device="default.qubit?shots=x", weight_shapes=SHAPES)
    assert isinstance(layer, QNodeLayer)
