"""Distillation of a head from embeddings."""

from __future__ import annotations

import pytest
import torch

from hybrid_qproj import ClassicalProjection, QuantumProjection
from hybrid_qproj.baselines import Truncation
from hybrid_qproj.training.distill import DistillationSettings, distill

SHORT = DistillationSettings(steps=12, batch_size=16)


@pytest.fixture
def embeddings():
    return torch.randn(40, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("make", [lambda: QuantumProjection(8, 3, scale=1.0), lambda: ClassicalProjection(8, 3)])
def test_lowers_the_loss(make, embeddings):
    """Training helps, and leaves the head in eval mode."""
    torch.manual_seed(0)
    head = make()
    result = distill(head, embeddings, SHORT)
    assert result.last_loss < result.first_loss
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


def test_refusals(embeddings):
    """Nothing to train, too little to compare, a loss that exploded."""
    with pytest.raises(ValueError, match="no trainable parameters"):
        distill(Truncation(8, 3), embeddings)
    with pytest.raises(ValueError, match="compares at least 3"):
        distill(ClassicalProjection(8, 3), embeddings[:2])
    head = ClassicalProjection(8, 3)
    torch.nn.init.constant_(head.linear.weight, float("inf"))
    with pytest.raises(ValueError, match="the loss became nan in step 0 of 12; lower the learning rate"):
        distill(head, embeddings, SHORT)
