"""Training through a code: documents are what their codes decode to, gradients pass."""

from __future__ import annotations

import math

import pytest
import torch

from hybrid_qproj import ClassicalProjection, QuantumProjection
from hybrid_qproj.codec import Codec, CodecError
from hybrid_qproj.training.objectives import Batch, Code, Coded, Contrastive, SimilarityDistillation, coded
from hybrid_qproj.training.objectives.base import ObjectiveError
from hybrid_qproj.training.objectives.coded import REMEMBERED, through


def _angles(rows, width=16, seed=0):
    return 1.6 + 0.2 * torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("scheme", ["bits", "signs"])
def test_decoded_documents_rank_as_codes_score(scheme):
    """As long as the outputs, in the direction that the codec's score compares with."""
    angles = _angles(60)
    codec = Codec.fit(angles, 2, scheme)
    decoded, origin = through(codec, angles), codec.origin
    torch.testing.assert_close((decoded - origin).norm(dim=1), (angles - origin).norm(dim=1))
    cosines = (
        torch.nn.functional.normalize(angles[:5] - origin, dim=1)
        @ torch.nn.functional.normalize(decoded - origin, dim=1).T
    )
    torch.testing.assert_close(cosines, codec.scores(angles[:5], codec.encode(angles)), atol=1e-5, rtol=0)


def test_decoded_angles_stay_angles():
    """A code far out does not leave [0, pi]."""
    angles = torch.cat([_angles(50), torch.tensor([[0.0] * 8 + [math.pi] * 8])])
    decoded = through(Codec.fit(angles, 2, "signs"), angles)
    assert decoded.min() >= 0
    assert decoded.max() <= math.pi


def test_gradients_pass_as_if_there_were_no_code():
    """Straight through: the derivative by each output is one."""
    angles = _angles(30).requires_grad_()
    weights = torch.randn(30, 16, generator=torch.Generator().manual_seed(1))
    (through(Codec.fit(angles.detach(), 4), angles) * weights).sum().backward()
    torch.testing.assert_close(angles.grad, weights)


def test_queries_stay_in_float():
    """Of contrastive columns the passages are coded, the queries are not; of texts the right side is."""
    head = ClassicalProjection(16, 8)
    torch.manual_seed(0)
    batch = Batch.of(head, [torch.randn(12, 16) for _ in range(3)])
    objective = Coded(Contrastive(), head, Code("signs", 1))
    codec = Codec.fit(torch.cat(batch.outputs).detach(), 1, "signs", similarity="cosine")
    decoded = through(codec, torch.cat(batch.outputs)).split(12)
    expected = Contrastive()(head, Batch(batch.embeddings, (batch.outputs[0], *decoded[1:])))
    torch.testing.assert_close(objective(head, batch), expected)
    texts = Batch(batch.embeddings[:1], batch.outputs[:1])
    plain, same = SimilarityDistillation(), Coded(SimilarityDistillation(), head, Code("bits", 8))
    assert same(head, texts).item() == pytest.approx(plain(head, texts).item(), abs=0.02)
    assert same(head, texts).item() != plain(head, texts).item()


def test_a_codec_is_fitted_to_earlier_steps_too():
    """A few thousand outputs are remembered, in the state that a checkpoint holds; judging does not add to them."""
    head = QuantumProjection(8, 4)
    objective = Coded(SimilarityDistillation(), head, Code("bits", 2))
    torch.manual_seed(0)
    with torch.no_grad():
        objective(head, Batch.of(head, [torch.randn(10, 8)]))
    assert objective.seen == 0
    for _ in range(3):
        objective(head, Batch.of(head, [torch.randn(REMEMBERED // 2 - 1, 8)]))
    assert objective.seen == REMEMBERED
    other = Coded(SimilarityDistillation(), head, Code("bits", 2))
    other.load_state_dict(objective.state_dict())
    x = torch.randn(10, 8)
    assert torch.equal(other(head, Batch.of(head, [x])), objective(head, Batch.of(head, [x])))


def test_a_head_learns_its_code():
    """The loss through the code falls."""
    torch.manual_seed(0)
    x = torch.randn(200, 16)
    head = QuantumProjection(16, 8, "rotor", plan="tree", scale=2.0)
    objective = coded(SimilarityDistillation(student_scale=2.0), head, Code("signs", 1))
    optimizer = torch.optim.Adam([*head.parameters(), *objective.parameters()], lr=0.03)
    losses = []
    for _ in range(40):
        loss = objective(head, Batch.of(head, [x]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


def test_refused():
    """What FAISS fits, what the width does not go with, and a single output."""
    head = ClassicalProjection(6, 4)
    with pytest.raises(ObjectiveError, match="'pq', which FAISS fits; expected one of bits, signs"):
        Coded(Contrastive(), ClassicalProjection(20, 8), Code("pq", 2))
    with pytest.raises(CodecError, match="'signs' gives outputs of 4 numbers no 2 bytes"):
        Coded(Contrastive(), head, Code("signs", 2))
    with pytest.raises(ObjectiveError, match="a batch of 1 outputs"):
        Coded(Contrastive(), head, Code("signs", 1))(head, Batch.of(head, [torch.randn(1, 6)]))
    assert coded(head, head, None) is head
