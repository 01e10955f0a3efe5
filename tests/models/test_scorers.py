"""Losses, evaluators and functions of sentence-transformers: right by log-fidelity, or refused with what works."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import evaluation, losses
from sentence_transformers.util import mine_hard_negatives

from hybrid_qproj import QuantumProjection, log_fidelity, pairwise_log_fidelity
from hybrid_qproj.models.scorers import ScoringError
from hybrid_qproj.sbert import with_head

COLUMNS = [["a cat", "the state", "a mat"], ["a quantum cat", "the mat", "on a mat"], ["cat", "sat on", "the the"]]


@pytest.fixture(scope="module")
def encoder(tiny_bert):
    torch.manual_seed(0)
    return with_head(str(tiny_bert), QuantumProjection(24, 8, init="random", scale=2.0), device="cpu").eval()


@pytest.fixture(scope="module")
def outputs(encoder):
    with torch.no_grad():
        return [encoder(encoder.preprocess(column))["sentence_embedding"] for column in COLUMNS]


def value(encoder, loss, labels=None, columns=3):
    return loss([encoder.preprocess(column) for column in COLUMNS[:columns]], labels).detach()


def ranked(outputs):
    queries, positives, negatives = outputs
    scores = pairwise_log_fidelity(queries, torch.cat([positives, negatives]))
    return torch.nn.functional.cross_entropy(20 * scores, torch.arange(3))


def margins(outputs):
    queries, positives, negatives = outputs
    return log_fidelity(queries, positives) - log_fidelity(queries, negatives)


# Loss, what its error says to give it, and what it then is, by hand.
GIVEN = {
    "MultipleNegativesRankingLoss": ("similarity_fct=model.similarity", ranked),
    "TripletLoss": (
        "distance_metric=lambda a, b: -model.similarity_pairwise(a, b)",
        lambda outputs: torch.relu(5 - margins(outputs)).mean(),
    ),
    "MarginMSELoss": ("similarity_fct=model.similarity_pairwise", lambda outputs: margins(outputs).square().mean()),
}


@pytest.mark.parametrize("name", GIVEN)
def test_losses_take_what_their_error_says(encoder, outputs, name):
    """The advice is code that works, and the loss is then that of log-fidelities."""
    advice, expected = GIVEN[name]
    labels = torch.zeros(3) if name == "MarginMSELoss" else None
    with pytest.raises(ScoringError) as error:
        value(encoder, getattr(losses, name)(encoder), labels)
    assert str(error.value).endswith(f"give it {advice}")
    loss = eval(f"losses.{name}(model, {advice})", {"losses": losses, "model": encoder})  # noqa: S307 - ours, above
    torch.testing.assert_close(value(encoder, loss, labels), expected(outputs))


def test_losses_within_a_batch(encoder):
    """Their distance is of one set of outputs."""
    labels = torch.tensor([0, 0, 1])
    with pytest.raises(ScoringError, match=r"distance_metric=lambda a: -model\.similarity\(a, a\)"):
        value(encoder, losses.BatchAllTripletLoss(encoder), labels, columns=1)
    loss = losses.BatchAllTripletLoss(encoder, distance_metric=lambda a: -encoder.similarity(a, a))
    assert value(encoder, loss, labels, columns=1).isfinite()


def test_losses_that_know_one_similarity(encoder, tiny_bert):
    """They are named as what they are, classes derived from them too; the advice does not name what they lack."""

    class Derived(losses.CosineSimilarityLoss):
        pass

    guide = SentenceTransformer(str(tiny_bert), device="cpu")
    for loss, columns in (
        (losses.GISTEmbedLoss(encoder, guide), 3),
        (losses.CachedGISTEmbedLoss(encoder, guide, mini_batch_size=2), 3),
        (losses.AnglELoss(encoder), 2),
        (Derived(encoder), 2),
    ):
        with pytest.raises(ScoringError, match=r"by nothing else; .*: use CoSENTLoss\(model, similarity_fct="):
            value(encoder, loss, torch.zeros(3), columns)
    with pytest.raises(ScoringError, match="distance_metric='l2' or 'mse'"):
        value(encoder, losses.EmbedDistillLoss(encoder), torch.zeros(3, 8), columns=1)
    with pytest.raises(ScoringError, match="would compare by cosine_similarity"):
        value(encoder, losses.CoSENTLoss(encoder, similarity_fct=torch.cosine_similarity), torch.zeros(3), columns=2)


@pytest.mark.parametrize("cached", [False, True])
def test_matryoshka_would_normalise(encoder, cached):
    """Around a loss with the right similarity too: it compares the first angles after making their norm 1."""
    options = {"mini_batch_size": 2} if cached else {}
    kind = losses.CachedMultipleNegativesRankingLoss if cached else losses.MultipleNegativesRankingLoss
    loss = losses.MatryoshkaLoss(encoder, kind(encoder, similarity_fct=encoder.similarity, **options), [8, 4])
    with pytest.raises(ScoringError, match="MatryoshkaLoss compares the first outputs after making their norm 1"):
        value(encoder, loss)


def test_hard_negatives(encoder):
    """The function normalises without being asked to."""
    datasets = pytest.importorskip("datasets")
    pairs = datasets.Dataset.from_dict({"query": COLUMNS[0], "answer": COLUMNS[1]})
    with pytest.raises(ScoringError, match=r"mine_hard_negatives makes the norm of embeddings 1.*semantic_search"):
        mine_hard_negatives(pairs, encoder, verbose=False)


def test_codes_of_an_evaluator(encoder):
    """With a precision, the library's evaluator normalises too; its name and ours are said all the same."""
    evaluator = evaluation.EmbeddingSimilarityEvaluator(*COLUMNS[:2], [0.0, 1.0, 0.5], precision="int8")
    with pytest.raises(ScoringError, match=r"use hybrid_qproj\.training\.evaluators\.PairEvaluator"):
        evaluator(encoder)


def test_ones_own_evaluators_compare_as_they_like(encoder, outputs):
    """Derived from the library's, with its helpers, but by the model's similarity; the library's own way is refused."""

    class Own(evaluation.TripletEvaluator):
        def __call__(self, model, *args, **kwargs):
            a, b = (self.embed_inputs(model, texts) for texts in (self.anchors, self.positives))
            return {"mean": model.similarity_pairwise(a, b).mean().item()}

    found = Own(*COLUMNS)(encoder)["mean"]
    assert found == pytest.approx(log_fidelity(*outputs[:2]).mean().item(), abs=1e-5)

    class Same(evaluation.TripletEvaluator):
        def __call__(self, model, *args, **kwargs):
            return super().__call__(model, *args, **kwargs)

    with pytest.raises(ScoringError, match="Same would compare by a similarity of its own"):
        Same(*COLUMNS)(encoder)
