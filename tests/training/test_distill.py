"""Distillation of a head from embeddings."""

from __future__ import annotations

import pytest
import torch

from hybrid_qproj import ClassicalProjection, QuantumProjection
from hybrid_qproj.heads.linear import Truncation
from hybrid_qproj.training.distill import DistillationSettings, distill
from hybrid_qproj.training.objectives import Batch, BestDistillation

SHORT = DistillationSettings(steps=12, batch_size=16)


@pytest.fixture
def embeddings():
    return torch.randn(40, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("make", [lambda: QuantumProjection(8, 3, scale=1.0), lambda: ClassicalProjection(8, 3)])
def test_lowers_the_loss(make, embeddings):
    """Training helps, and leaves the head in eval mode."""
    torch.manual_seed(0)
    head = make()
    result = distill(head, embeddings, SHORT.model_copy(update={"steps": 100}))
    assert result.last < result.first
    assert not head.training


def test_repeats_exactly(embeddings):
    """Same seed, same weights; another seed, others."""
    weights = []
    for seed in (1, 1, 2):
        head = QuantumProjection(8, 3, generator=torch.Generator().manual_seed(0))
        distill(head, embeddings, SHORT, seed=seed)
        weights.append(head.stages[0].weights.detach().clone())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_progress(embeddings):
    """Each step is reported."""
    steps = []
    distill(ClassicalProjection(8, 3), embeddings, SHORT, progress=steps.append)
    assert steps == list(range(12))


def test_anchor(embeddings):
    """The heavier the anchor, the nearer the head stays to its start."""
    distances = []
    for weight in (0.0, 1.0, 100.0):
        head = QuantumProjection(8, 3, "rotor", scale=1.0, generator=torch.Generator().manual_seed(0))
        start = head.block_weights()
        distill(head, embeddings, SHORT.model_copy(update={"anchor": weight, "steps": 60}))
        distances.append((head.block_weights() - start).norm().item())
    assert distances[0] > 2 * distances[1] > 4 * distances[2]


@pytest.mark.parametrize("rate", [1e-3, 1.0])
def test_held_out_texts_choose_the_step(embeddings, rate):
    """The head keeps the weights of the start, of a tenth step or of the end: those best on texts held out."""
    head = QuantumProjection(8, 3, scale=1.0, learn_scale=False, generator=torch.Generator().manual_seed(0))
    held_out = embeddings[torch.randperm(40, generator=torch.Generator().manual_seed(5))[:10]]
    judge = BestDistillation()
    seen = [head.block_weights()]
    losses = [judge(head, Batch.of(head, [held_out])).item()]

    def look(step):
        if step + 1 in (10, 20, 25):
            seen.append(head.block_weights())
            losses.append(judge(head, Batch.of(head, [held_out])).item())

    distill(
        head,
        embeddings,
        SHORT.model_copy(update={"learning_rate": rate, "held_out": 10, "steps": 25}),
        seed=5,
        progress=look,
    )
    assert torch.equal(head.block_weights(), seen[min(range(4), key=losses.__getitem__)])


def test_refusals(embeddings):
    """Nothing to train, too little to compare, a loss that exploded."""
    with pytest.raises(ValueError, match="no trainable parameters"):
        distill(Truncation(8, 3), embeddings)
    with pytest.raises(ValueError, match="compares at least 3"):
        distill(ClassicalProjection(8, 3), embeddings[:2])
    for held_out in (38, 2):
        with pytest.raises(ValueError, match=f"held_out={held_out}; distillation compares at least 3"):
            distill(ClassicalProjection(8, 3), embeddings, SHORT.model_copy(update={"held_out": held_out}))
    head = ClassicalProjection(8, 3)
    torch.nn.init.constant_(head.linear.weight, float("inf"))
    with pytest.raises(ValueError, match="the loss became nan in step 0 of 12; lower the learning rate"):
        distill(head, embeddings, SHORT)
