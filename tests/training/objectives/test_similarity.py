"""Similarity distillation as a loss."""

from __future__ import annotations

import pytest
import torch

from hybrid_qproj import ClassicalProjection, QuantumProjection
from hybrid_qproj.heads.base import Head
from hybrid_qproj.training.objectives import Batch, BestDistillation, SimilarityDistillation


class _Same(Head):
    def forward(self, embeddings):
        return embeddings


@pytest.fixture
def embeddings():
    return torch.randn(10, 6, generator=torch.Generator().manual_seed(0))


def test_zero_for_the_teacher_itself(embeddings):
    """A student with the teacher's similarities and temperature has nothing to learn."""
    loss = SimilarityDistillation(teacher_scale=20, student_scale=20)(_Same(6, 5), Batch((embeddings,), (embeddings,)))
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_equals_the_divergence_written_out(embeddings):
    """The loss is the mean Kullback-Leibler divergence over the others of each text."""
    torch.manual_seed(1)
    head = ClassicalProjection(6, 2)
    loss = SimilarityDistillation(teacher_scale=5, student_scale=3)(head, Batch.of(head, [embeddings]))
    cosine = torch.nn.functional.cosine_similarity
    expected = 0.0
    for i in range(10):
        others = [j for j in range(10) if j != i]
        outputs = head(embeddings)
        p = torch.softmax(5 * cosine(embeddings[i], embeddings[others], dim=1), 0)
        q = torch.softmax(3 * cosine(outputs[i], outputs[others], dim=1), 0)
        expected += (p * (p / q).log()).sum().item() / 10
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_gradients_reach_head_and_temperature(embeddings):
    """Everything that should learn gets a finite gradient; identical texts make no trouble."""
    objective = SimilarityDistillation()
    head = QuantumProjection(6, 2, scale=2.0)
    objective(head, Batch.of(head, [embeddings, embeddings[:1]])).backward()
    gradients = [p.grad for p in (*head.parameters(), *objective.parameters())]
    assert all(g is not None and g.isfinite().all() and g.abs().sum() > 0 for g in gradients)


def test_best_temperature(embeddings):
    """No temperature on a fine grid does better, and its own is what a head is judged by."""
    torch.manual_seed(1)
    head = ClassicalProjection(6, 2)
    batch = Batch.of(head, [embeddings])
    grid = [SimilarityDistillation(5, scale)(head, batch).item() for scale in torch.logspace(-2, 3, 200).tolist()]
    best = BestDistillation(5)(head, batch).item()
    assert best <= min(grid) + 1e-5
    assert best == pytest.approx(min(grid), rel=1e-3)
