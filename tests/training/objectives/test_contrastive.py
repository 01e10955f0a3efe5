"""The contrastive objective against the formula written out."""

from __future__ import annotations

import math

import pytest
import torch

from hybrid_qproj import ClassicalProjection, QuantumProjection, fidelity
from hybrid_qproj.heads.coherent import CoherentProjection
from hybrid_qproj.training.objectives import Batch, Contrastive, SimilarityDistillation, WeightedSum


@pytest.fixture
def columns():
    return list(torch.randn(4, 5, 8, generator=torch.Generator().manual_seed(0)))


def test_published_objective(columns):
    """Cross-entropy over 20 times the fidelity, of the positive against the query's own negatives."""
    head = QuantumProjection.paper(8, 2)
    query, *passages = (head(column) for column in columns)
    expected = 0.0
    for i in range(5):
        logits = torch.stack([20 * fidelity(query[i], passage[i]) for passage in passages])
        expected += (logits.logsumexp(0) - logits[0]).item() / 5
    assert Contrastive()(head, Batch.of(head, columns)).item() == pytest.approx(expected, abs=1e-5)


def test_in_batch_negatives(columns):
    """Every other passage of the batch is a negative; the diagonal of the positives is the target."""
    torch.manual_seed(0)
    head = ClassicalProjection(8, 3)
    query, *passages = (torch.nn.functional.normalize(head(column), dim=1) for column in columns)
    logits = 5 * query @ torch.cat(passages).T
    expected = torch.nn.functional.cross_entropy(logits, torch.arange(5))
    assert torch.allclose(Contrastive(5.0, in_batch=True)(head, Batch.of(head, columns)), expected, atol=1e-6)


def test_log_fidelity_has_a_gradient_where_fidelity_has_none():
    """Far apart on many qubits, 20 F is flat and 2 log F is not."""
    head = QuantumProjection(128, 64, scale=50.0, init="identity")
    columns = list(torch.randn(3, 4, 128))
    slopes = []
    for objective in (Contrastive(), Contrastive(1.0, log=True)):
        head.zero_grad()
        objective(head, Batch.of(head, columns)).backward()
        slopes.append(head.stages[0].weights.grad.abs().max().item())
    assert slopes[0] < 1e-6
    assert slopes[1] > 1e-2


def test_log_makes_no_difference_to_cosine(columns):
    """Classical heads are compared by the cosine itself."""
    head = ClassicalProjection(8, 3)
    batch = Batch.of(head, columns)
    assert torch.equal(Contrastive()(head, batch), Contrastive(log=True)(head, batch))


@pytest.mark.parametrize("make", [QuantumProjection, CoherentProjection])
def test_gradients_reach_head_and_temperature(make, columns):
    """The factor is trained only where it should be."""
    head = make(8, 2, "rotor", scale=1.0)
    learnt, fixed = Contrastive(2.0, learn_scale=True, log=True), Contrastive(2.0, log=True)
    for objective in (learnt, fixed):
        objective(head, Batch.of(head, columns)).backward()
    assert all(p.grad.isfinite().all() and p.grad.abs().sum() > 0 for p in head.parameters())
    assert learnt.log_scale.grad.abs() > 0
    assert fixed.log_scale.grad is None


def test_weighted_sum(columns):
    """Parts on the same batch, each with its weight, all of them trained."""
    head = ClassicalProjection(8, 3)
    batch = Batch.of(head, columns)
    labels, texts = Contrastive(learn_scale=True), SimilarityDistillation()
    both = WeightedSum((1.0, labels), (0.5, texts))
    assert torch.allclose(both(head, batch), labels(head, batch) + 0.5 * texts(head, batch))
    assert {name for name, _ in both.named_parameters()} == {"objectives.0.log_scale", "objectives.1.log_student_scale"}


def test_refusals(columns):
    """A query alone, a positive without negatives, too few texts to distil."""
    head = ClassicalProjection(8, 3)
    with pytest.raises(ValueError, match="a batch of 2 columns"):
        Contrastive()(head, Batch.of(head, columns[:2]))
    assert math.isfinite(Contrastive(in_batch=True)(head, Batch.of(head, columns[:2])).item())
    with pytest.raises(ValueError, match="a batch of 1 columns"):
        Contrastive(in_batch=True)(head, Batch.of(head, columns[:1]))
    with pytest.raises(ValueError, match="compares at least 3"):
        SimilarityDistillation()(head, Batch.of(head, [columns[0][:2]]))
