"""The coherent readout against one circuit of all qubits of a group."""

from __future__ import annotations

import copy
import json
import math
import pickle

import pennylane as qml
import pytest
import torch

from hybrid_qproj import circuits
from hybrid_qproj.heads.checkpoint import CheckpointError
from hybrid_qproj.heads.coherent import CoherentProjection
from hybrid_qproj.heads.registry import load_head
from hybrid_qproj.plan import Plan, PlanError, Stage


def whole_circuit(head, embedding):
    """Bloch vector of the only output, from one circuit on all qubits, in float64."""
    d = head.in_features
    theta = math.pi / 2 * (1 + torch.tanh(head.encoding.scale.double() * embedding))
    stages = [layer.weights.detach().double() for layer in head.layers]

    @qml.qnode(qml.device("default.qubit", wires=d))
    def run():
        for wire in range(d):
            qml.RY(-theta[wire], wires=wire)
        for stage, weights in zip(head.plan.stages, stages, strict=True):
            for c, b, raw in zip(stage.control, stage.kept, weights, strict=True):
                head.ansatz.circuit(list(head.ansatz.angles(raw)), [c, b])
        kept = head.plan.output[0]
        return qml.expval(qml.X(kept)), qml.expval(qml.Y(kept)), qml.expval(qml.Z(kept))

    return torch.stack([torch.as_tensor(v) for v in run()])


@pytest.mark.parametrize("plan", ["chain", "tree"])
@pytest.mark.parametrize("d", [2, 3, 4])
@pytest.mark.parametrize("circuit", circuits.names())
def test_equals_one_circuit_of_all_qubits(circuit, d, plan):
    """Stage by stage by maps, or all at once: the same Bloch vector."""
    torch.manual_seed(d)
    head = CoherentProjection(d, 1, circuit, plan=plan, init="random", scale=1.3).double()
    embedding = torch.randn(d, dtype=torch.float64)
    assert torch.allclose(head(embedding), whole_circuit(head, embedding), atol=1e-6)


def test_entanglement_shows_as_mixture():
    """A kept qubit that is entangled with a discarded one is not pure."""
    torch.manual_seed(0)
    head = CoherentProjection(4, 1, "u_cu", init="random", scale=1.0)
    norms = head(torch.randn(50, 4)).norm(dim=1)
    assert (norms <= 1 + 1e-6).all()
    assert norms.min() < 0.95


def test_gradients():
    """By embeddings, weights and scale."""
    head = CoherentProjection(4, 2, "rotor", init="random", scale=0.7).double()
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    names = [name for name, _ in head.named_parameters()]

    def run(x, *values):
        return torch.func.functional_call(head, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(run, (x, *(p.detach().clone().requires_grad_() for p in head.parameters())))


def test_another_simulator_agrees():
    """lightning.qubit, which takes one circuit at a time."""
    heads = [
        CoherentProjection(6, 2, "u_cu", device, init="random", scale=1.0, generator=torch.Generator().manual_seed(1))
        for device in ("default.qubit", "lightning.qubit")
    ]
    x = torch.randn(3, 6)
    assert torch.allclose(heads[0](x), heads[1](x), atol=1e-6)


def test_save_load_copy_and_pickle(tmp_path):
    """The same outputs in every form, and of the width that it names."""
    head = CoherentProjection(9, 4, "rotor", plan="chain", init="random", scale=1.5).eval()
    x = torch.randn(2, 9)
    expected = head(x)
    assert expected.shape == (2, head.output_width) == (2, 12)
    head.save(tmp_path)
    for other in (load_head(tmp_path), copy.deepcopy(head), pickle.loads(pickle.dumps(head))):  # noqa: S301 - our own
        assert torch.equal(other(x), expected)


def test_similarity_of_a_text_with_itself():
    """Fidelity 1 with itself, less with others."""
    head = CoherentProjection(12, 6, "u_cu", init="random", scale=2.0).eval()
    outputs = head(torch.randn(5, 12))
    scores = head.pairwise_similarity(outputs, outputs)
    assert torch.allclose(scores.diagonal(), torch.zeros(5), atol=1e-5)
    assert (scores[~torch.eye(5, dtype=torch.bool)] < -1e-3).all()


@pytest.mark.parametrize(
    "stages",
    [
        (Stage((1, 0), (0, 1)),),
        (Stage((2,), (0,)), Stage((2,), (1,))),
        (Stage((2, 2), (0, 1)),),
    ],
)
def test_mixing_plans_are_refused(stages):
    """A qubit cannot be used again once it was a control."""
    with pytest.raises(PlanError, match="need the measured readout"):
        CoherentProjection(3, 2, "rotor", plan=Plan(3, stages, (0, 1)))


def test_other_refusals():
    """Direct mode, and an output that was a control."""
    with pytest.raises(ValueError, match="no direct mode"):
        CoherentProjection(4, 2, device="default.qubit?mode=direct")
    with pytest.raises(PlanError, match="puts out a control qubit"):
        CoherentProjection(3, 2, plan=Plan(3, (Stage((2,), (0,)),), (0, 2)))
    with pytest.raises(TypeError, match="unexpected keyword argument 'normalize_output'"):
        CoherentProjection(4, 2, normalize_output=False)


def test_another_device_is_taken_whole_or_not_at_all():
    """A device string that is refused leaves the head as it was, in circuits and maps."""
    head = CoherentProjection(4, 2, "rotor", "default.qubit?shots=20&seed=1").eval()
    executor, x = head.executor, torch.randn(2, 4)
    expected = head(x)
    with pytest.raises(ValueError, match="no direct mode"):
        head.to_device("default.qubit?mode=direct")
    assert head.executor is executor
    assert all(layer.executor is executor for layer in head.layers)
    assert torch.equal(head(x), expected)  # shots are not drawn anew
    assert not torch.equal(head.to_device("default.qubit?shots=20&seed=2")(x), expected)
    assert all(layer.executor is head.executor for layer in head.layers)


def test_an_option_that_former_configs_carry(tmp_path):
    """That outputs are not normalised is taken from a former config, and not written; that they are is refused."""
    head = CoherentProjection(4, 2, "rotor", scale=1.0).eval()
    head.save(tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    assert "normalize_output" not in config
    del config["integrity"]
    path.write_text(json.dumps({**config, "normalize_output": False}))
    x = torch.randn(3, 4)
    assert torch.equal(load_head(tmp_path)(x), head(x))
    path.write_text(json.dumps({**config, "normalize_output": True}))
    with pytest.raises(CheckpointError, match=r"does not describe a CoherentProjection: normalize_output: .*False"):
        load_head(tmp_path)
