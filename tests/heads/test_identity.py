"""A state dict says which head it is of: weights made for another plan, circuit or options do not load."""

from __future__ import annotations

import copy
import pickle
import warnings

import pytest
import torch
from torch import nn
from torch.optim import swa_utils

from hybrid_qproj import QuantumProjection
from hybrid_qproj.heads.coherent import CoherentProjection
from hybrid_qproj.heads.identity import HeadMismatchError, describe
from hybrid_qproj.heads.linear import stored_numbers
from hybrid_qproj.plan import Plan, Stage, tree

X = torch.linspace(-1, 1, 24).reshape(3, 8)


def head(**changes):
    return QuantumProjection(8, 3, **{"circuit": "rotor", "init": "random", "scale": 2.0, **changes}).eval()


def fitted(seed):
    generator = torch.Generator().manual_seed(seed)
    data = torch.randn(50, 8, generator=generator) * torch.rand(8, generator=generator)
    return QuantumProjection.fit(data, 3)


def shapes(head):
    return [stage.weights.shape for stage in head.stages]


@pytest.mark.parametrize("assign", [False, True])
@pytest.mark.parametrize("strict", [False, True])
def test_weights_of_another_fit(assign, strict):
    """Same shapes, another plan: nothing is loaded, and both are named."""
    first = fitted(0)
    second = next(other for other in map(fitted, range(1, 99)) if shapes(other) == shapes(first))
    assert first.plan.stages != second.plan.stages
    expected = second(X)
    with pytest.raises(
        HeadMismatchError, match=r"another head: \(rotor, .*Plan\(treelet.*; this one is \(rotor, .*Plan\(treelet"
    ):
        second.load_state_dict(first.state_dict(), strict=strict, assign=assign)
    assert torch.equal(second(X), expected)
    same = fitted(0)
    same.load_state_dict(first.state_dict(), strict=strict, assign=assign)
    assert torch.equal(same(X), first(X))


@pytest.mark.parametrize(
    "changes", [{"circuit": "polar"}, {"normalize": True}, {"normalize_output": True}, {"plan": "tree"}]
)
def test_other_meaning(changes):
    """What changes what the weights mean; the device and what people call a plan do not."""
    try:
        other = head(**changes)
    except ValueError:
        pytest.skip("not of this head")
    with pytest.raises((HeadMismatchError, RuntimeError), match="another head"):
        head().load_state_dict(other.state_dict())
    plan = tree(8, 3)
    renamed = Plan(plan.features, plan.stages, plan.output, "mine")
    head(plan=renamed, device="lightning.qubit").load_state_dict(head(plan="tree").state_dict())


def test_inside_a_model():
    """The head is found wherever it is in a model; the rest of a model says nothing of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = nn.Sequential(nn.Linear(8, 8), head())
        other = nn.Sequential(nn.Linear(8, 8), head(plan="tree"))
        with pytest.raises(HeadMismatchError, match="another head"):
            model.load_state_dict(other.state_dict())
        model.load_state_dict(other[0].state_dict(prefix="0."), strict=False)
        model.load_state_dict(copy.deepcopy(model).state_dict())


def test_without_its_name():
    """A state dict of an earlier version is taken, with a warning that says for which head."""
    old = {name: tensor for name, tensor in head().state_dict().items() if name != "wired_as"}
    fresh = head()
    with pytest.warns(UserWarning, match=r"does not say which head it is of; it is taken to be of \(rotor"):
        fresh.load_state_dict(old)
    assert torch.equal(fresh.stages[0].weights, old["stages.0.weights"])


@pytest.mark.parametrize("cast", [torch.float64, torch.float16, torch.bfloat16])
def test_cast_state(cast):
    """Somebody may cast all that a state dict holds."""
    state = {name: tensor.to(cast) for name, tensor in head().state_dict().items()}
    fresh = head()
    fresh.load_state_dict(state, assign=True)
    assert fresh.wired_as.dtype == torch.uint8


def test_it_is_no_weight():
    """Not trained, not counted, kept by casts, copies and pickles, and no part of a functional call's result."""
    quantum = head()
    assert stored_numbers(quantum) == 6
    assert "wired_as" not in dict(quantum.named_parameters())
    for changed in (copy.deepcopy(quantum).half(), pickle.loads(pickle.dumps(quantum)), head().double()):  # noqa: S301 - ours
        assert torch.equal(changed.wired_as, quantum.wired_as)
    with torch.device("meta"):
        empty = head()
    empty.load_state_dict(quantum.state_dict(), assign=True)
    assert torch.equal(empty.wired_as, quantum.wired_as)
    output = torch.func.functional_call(quantum, dict(quantum.state_dict()), (X,))
    assert torch.equal(output, quantum(X))


def test_damaged_name():
    """A tensor of another size is another head's."""
    state = {**head().state_dict(), "wired_as": torch.zeros(3, dtype=torch.uint8)}
    with pytest.raises(HeadMismatchError, match=r"unknown: a tensor of shape \(3,\)"):
        head().load_state_dict(state)


def test_long_names_are_cut():
    """The words have a fixed size; the digest does not depend on them."""
    plan = Plan(4, (Stage((3,), (0,)), Stage((2,), (1,))), (0, 1), "x" * 500)
    named = CoherentProjection(4, 2, "rotor", plan=plan)
    assert named.wired_as.shape == (256,)
    assert describe(named.wired_as).startswith("(rotor, normalize=False, normalize_output=False, Plan(xxx")
    CoherentProjection(4, 2, "rotor", plan=Plan(4, plan.stages, (0, 1))).load_state_dict(named.state_dict())


@pytest.mark.parametrize("average", ["ema", "swa"])
def test_mean_of_models_says_which_head_it_is_of(average, tmp_path):
    # A mean is taken of the buffers too, and of these bytes it would be another head's.
    trained = head()
    rule = swa_utils.get_ema_multi_avg_fn(0.9) if average == "ema" else None
    mean = swa_utils.AveragedModel(trained, multi_avg_fn=rule, use_buffers=True)
    for _ in range(3):
        with torch.no_grad():
            for parameter in trained.parameters():
                parameter.add_(0.1)
        mean.update_parameters(trained)
    # Nor may a mean be taken of the indices by which a ragged plan reads its qubits.
    mean.module.eval().save(tmp_path)
    other = head()
    other.load_state_dict(mean.module.state_dict())
    assert torch.equal(QuantumProjection.load(tmp_path)(X), mean.module(X))
    assert torch.equal(other(X), mean.module(X))
