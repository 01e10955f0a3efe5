"""A head inside a sentence-transformers model: training, encoding, saving, similarity."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

import hybrid_qproj
from hybrid_qproj import ClassicalProjection, QuantumProjection, log_fidelity, pairwise_log_fidelity
from hybrid_qproj.sbert import Encoder, ProjectionHead, with_head

TEXTS = ["a quantum cat", "the cat sat on the mat", "a state"]


@pytest.fixture
def encoder(tiny_bert):
    torch.manual_seed(0)
    return with_head(str(tiny_bert), QuantumProjection(24, 8, scale=2.0), device="cpu")


def test_encodes_to_angles(encoder):
    """The model's embedding is the head's output of the pooled embedding."""
    plain = SentenceTransformer(modules=list(encoder)[:-1], device="cpu")
    with torch.no_grad():
        expected = encoder.head(plain.encode(TEXTS, convert_to_tensor=True))
    torch.testing.assert_close(encoder.encode(TEXTS, convert_to_tensor=True), expected)
    assert encoder.get_embedding_dimension() == 8


def test_works_in_a_plain_sentence_transformer(encoder):
    """No class of ours is needed around the modules."""
    plain = SentenceTransformer(modules=list(encoder), device="cpu")
    torch.testing.assert_close(
        plain.encode(TEXTS, convert_to_tensor=True), encoder.encode(TEXTS, convert_to_tensor=True)
    )


@pytest.mark.parametrize("as_numpy", [True, False])
def test_similarity_is_the_heads(encoder, as_numpy):
    """A quantum encoder compares by log-fidelity, in matrices and in pairs."""
    embeddings = encoder.encode(TEXTS, convert_to_numpy=as_numpy, convert_to_tensor=not as_numpy)
    angles = torch.as_tensor(embeddings)
    torch.testing.assert_close(encoder.similarity(embeddings, embeddings), pairwise_log_fidelity(angles, angles))
    torch.testing.assert_close(
        encoder.similarity_pairwise(embeddings, embeddings[::-1].copy() if as_numpy else angles.flip(0)),
        log_fidelity(angles, angles.flip(0)),
    )
    single = encoder.similarity(embeddings[0], embeddings)
    assert single.shape == (1, 3)


def test_classical_head_compares_by_cosine(tiny_bert):
    """The same encoder class serves classical heads."""
    encoder = with_head(str(tiny_bert), ClassicalProjection(24, 8), device="cpu")
    embeddings = encoder.encode(TEXTS, convert_to_tensor=True)
    expected = torch.nn.functional.cosine_similarity(embeddings[:, None], embeddings[None], dim=-1)
    torch.testing.assert_close(encoder.similarity(embeddings, embeddings), expected)
    torch.testing.assert_close(encoder.similarity_pairwise(embeddings, embeddings), torch.ones(3))


def test_save_and_load(encoder, tmp_path):
    """save_pretrained and hybrid_qproj.load give the same embeddings, head config included."""
    encoder.save_pretrained(str(tmp_path / "model"))
    loaded = hybrid_qproj.load(tmp_path / "model", device="cpu")
    assert isinstance(loaded, Encoder)
    assert loaded.head.config() == encoder.head.config()
    torch.testing.assert_close(
        loaded.encode(TEXTS, convert_to_tensor=True), encoder.encode(TEXTS, convert_to_tensor=True)
    )


def test_plain_library_can_load_it_too(encoder, tmp_path):
    """With the library's own trust flag the folder is an ordinary sentence-transformers model."""
    encoder.save_pretrained(str(tmp_path / "model"))
    loaded = SentenceTransformer(str(tmp_path / "model"), trust_remote_code=True, device="cpu")
    assert isinstance(list(loaded)[-1], ProjectionHead)


def test_prompts_survive(tiny_bert, tmp_path):
    """Prompts of the encoder go along when a head is put on it, and through saving."""
    base = SentenceTransformer(str(tiny_bert), prompts={"query": "a state "}, device="cpu")
    encoder = with_head(base, QuantumProjection(24, 8))
    encoder.save_pretrained(str(tmp_path / "model"))
    assert hybrid_qproj.load(tmp_path / "model").prompts["query"] == "a state "


def test_trains_through_head_and_encoder(encoder):
    """A loss of the library sends gradients to the blocks and to BERT, and one step lowers it."""
    loss_function = MultipleNegativesRankingLoss(encoder, scale=1.0, similarity_fct=pairwise_log_fidelity)
    features = [encoder.preprocess(TEXTS), encoder.preprocess(TEXTS[::-1])]
    optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-2)
    encoder.train()
    losses = []
    for _ in range(8):
        loss = loss_function([dict(f) for f in features], torch.empty(0))
        optimizer.zero_grad()
        loss.backward()
        losses.append(loss.item())
        assert all(s.weights.grad.abs().sum() > 0 for s in encoder.head.stages)
        optimizer.step()
    bert = [p.grad for n, p in encoder.named_parameters() if "encoder.layer" in n and p.grad is not None]
    assert bert
    assert all(g.isfinite().all() for g in bert)
    assert losses[-1] < losses[0]


def test_width_must_match(tiny_bert):
    """A head for another width is refused with both numbers."""
    with pytest.raises(ValueError, match="encoder gives 24 numbers, the head takes 32"):
        with_head(str(tiny_bert), QuantumProjection(32, 8), device="cpu")


def test_encoder_needs_a_head(tiny_bert):
    """An Encoder without a head would have no similarity."""
    with pytest.raises(ValueError, match="expected a ProjectionHead"):
        Encoder(str(tiny_bert), device="cpu")


def test_half_precision_backbone(encoder):
    """A bfloat16 backbone makes the library cast the head too; it still computes in float32 inside."""
    full = encoder.encode(TEXTS, convert_to_tensor=True)
    half = encoder.bfloat16().encode(TEXTS, convert_to_tensor=True)
    assert half.dtype == torch.bfloat16
    assert (half.float() - full).abs().max() < 0.1
