"""Losses, evaluators and functions of sentence-transformers: right by log-fidelity, or refused with what works."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("sentence_transformers", reason="needs the extra 'text'")

from scipy.stats import spearmanr
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import evaluation, losses
from sentence_transformers.util import cos_sim, mine_hard_negatives, paraphrase_mining, semantic_search

from helpers.short_texts import TEXTS
from hybrid_qproj import log_fidelity, pairwise_log_fidelity
from hybrid_qproj.models.scorers import ScoringError
from hybrid_qproj.training.evaluators import EvaluationError, PairEvaluator, TripletEvaluator

FIRST, SECOND = TEXTS[:20], TEXTS[20:]
COLUMNS = [["a cat", "the state", "a mat"], ["a quantum cat", "the mat", "on a mat"], ["cat", "sat on", "the the"]]


@pytest.fixture
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


def test_information_retrieval(encoder, angles):
    """The library's evaluator asks the model; its measures are those of rankings by log-fidelity."""
    queries, corpus = {str(i): t for i, t in enumerate(FIRST)}, {str(i): t for i, t in enumerate(SECOND)}
    scores = pairwise_log_fidelity(angles[:20], angles[20:])
    other = cos_sim(angles[:20], angles[20:])
    # Relevant is what log-fidelity puts first, where cosine puts something else.
    best = {str(i): {str(int(scores[i].argmax()))} for i in range(20) if scores[i].argmax() != other[i].argmax()}
    assert len(best) > 3
    evaluator = evaluation.InformationRetrievalEvaluator(queries, corpus, best, write_csv=False)
    measures = evaluator(encoder)
    assert measures["log_fidelity_accuracy@1"] == 1.0
    assert evaluator.primary_metric == "log_fidelity_ndcg@10"
    wrong = evaluation.InformationRetrievalEvaluator(queries, corpus, best, score_functions={"cosine": cos_sim})
    with pytest.raises(ScoringError, match=r"would compare by cos_sim.*leave score_functions out"):
        wrong(encoder)


def test_reranking(encoder, angles):
    """Refused with its own cosine; with the model's similarity, the ranking by log-fidelity."""
    scores = pairwise_log_fidelity(angles[:1], angles[20:])[0]
    best = int(scores.argmax())
    sample = {"query": FIRST[0], "positive": [SECOND[best]], "negative": [t for t in SECOND if t != SECOND[best]]}
    with pytest.raises(ScoringError, match=r"give it similarity_fct=model\.similarity"):
        evaluation.RerankingEvaluator([sample], write_csv=False)(encoder)
    for batched in (True, False):
        evaluator = evaluation.RerankingEvaluator(
            [sample], similarity_fct=encoder.similarity, write_csv=False, use_batched_encoding=batched
        )
        assert evaluator(encoder)["map"] == 1.0


@pytest.mark.parametrize("given", [{}, {"main_similarity": "cosine"}])
def test_embedding_similarity(encoder, angles, given, tmp_path):
    """The library's evaluator has its own functions: refused before it writes. Ours has the right correlation."""
    labels = list(np.random.default_rng(0).normal(size=20))
    with pytest.raises(ScoringError, match=r"use hybrid_qproj\.training\.evaluators\.PairEvaluator"):
        evaluation.EmbeddingSimilarityEvaluator(FIRST, SECOND, labels, **given)(encoder, str(tmp_path))
    assert not list(tmp_path.iterdir())
    evaluator = PairEvaluator(FIRST, SECOND, labels, name="dev")
    expected = spearmanr(labels, log_fidelity(angles[:20], angles[20:]).numpy())[0]
    assert evaluator(encoder)[evaluator.primary_metric] == pytest.approx(expected, abs=1e-6)


def test_pair_evaluator_agrees_with_the_librarys(classical):
    """On a head that is compared by cosine both give the same."""
    labels = list(np.random.default_rng(0).normal(size=20))
    theirs = evaluation.EmbeddingSimilarityEvaluator(FIRST, SECOND, labels, write_csv=False)(classical)
    ours = PairEvaluator(FIRST, SECOND, labels)(classical)
    assert ours["spearman"] == pytest.approx(theirs["spearman_cosine"], abs=1e-6)
    assert ours["pearson"] == pytest.approx(theirs["pearson_cosine"], abs=1e-6)
    triplets = (TEXTS[:13], TEXTS[13:26], TEXTS[26:39])
    theirs = evaluation.TripletEvaluator(*triplets, write_csv=False)(classical)
    assert TripletEvaluator(*triplets)(classical)["accuracy"] == pytest.approx(theirs["cosine_accuracy"])


def test_triplets(encoder, angles):
    """Refused, and by our evaluator the share by log-fidelity."""
    triplets = (TEXTS[:13], TEXTS[13:26], TEXTS[26:39])
    with pytest.raises(ScoringError, match=r"evaluators\.TripletEvaluator"):
        evaluation.TripletEvaluator(*triplets)(encoder)
    closer = log_fidelity(angles[:13], angles[13:26]) > log_fidelity(angles[:13], angles[26:39])
    assert TripletEvaluator(*triplets)(encoder) == {"accuracy": pytest.approx(closer.double().mean().item())}


def test_other_evaluators_with_their_own_cosine(encoder, coherent):
    """Pairs with labels, paraphrases, translations; for states given by Bloch vectors too."""
    for evaluator in (
        evaluation.BinaryClassificationEvaluator(FIRST, SECOND, [0, 1] * 10),
        evaluation.ParaphraseMiningEvaluator({str(i): t for i, t in enumerate(TEXTS)}, [("0", "1")]),
        evaluation.TranslationEvaluator(FIRST, SECOND),
    ):
        for model in (encoder, coherent):
            with pytest.raises(ScoringError, match=r"would compare by a similarity of its own; the head's is"):
                evaluator(model)


def test_functions_of_the_library(encoder, angles):
    """What encodes by itself is refused with its own cosine; given the model's similarity, its scores are that."""
    with pytest.raises(ScoringError, match=r"paraphrase_mining would compare by cos_sim.*score_function=model\.simil"):
        paraphrase_mining(encoder, TEXTS[:5])
    for score, i, j in paraphrase_mining(encoder, TEXTS[:5], score_function=encoder.similarity):
        assert score == pytest.approx(log_fidelity(angles[i], angles[j]).item(), abs=1e-5)
    for hit in semantic_search(angles[:1], angles, score_function=encoder.similarity)[0]:
        assert hit["score"] == pytest.approx(log_fidelity(angles[0], angles[hit["corpus_id"]]).item(), abs=1e-5)


def test_evaluators_check_their_texts():
    """Lengths that differ, and nothing to correlate."""
    with pytest.raises(EvaluationError, match="got 2 and 1 texts with 2 scores"):
        PairEvaluator(["a", "b"], ["a"], [1, 0])
    with pytest.raises(EvaluationError, match="at least 1"):
        TripletEvaluator([], [], [])


def test_losses_take_the_heads_similarity_or_none(encoder, classical):
    """The default cosine is refused when the model is called; given the model's similarity, it is what is trained."""
    features = [encoder.preprocess(TEXTS[:3]), encoder.preprocess(TEXTS[3:6])]

    def run(loss):
        return loss([dict(column) for column in features], torch.zeros(3))

    for loss in (
        losses.MultipleNegativesRankingLoss(encoder),
        losses.CachedMultipleNegativesRankingLoss(encoder),
        losses.CoSENTLoss(encoder),
        losses.AnglELoss(encoder),
        losses.CosineSimilarityLoss(encoder),
        losses.ContrastiveLoss(encoder),
        losses.MatryoshkaLoss(encoder, losses.MultipleNegativesRankingLoss(encoder), [8]),
    ):
        with pytest.raises(ScoringError, match="the head's similarity is fidelity"):
            run(loss)
    for similarity in (encoder.similarity, encoder.head.pairwise_similarity, pairwise_log_fidelity):
        loss = losses.MultipleNegativesRankingLoss(encoder, scale=2.0, similarity_fct=similarity)
        queries, positives = (encoder(dict(column))["sentence_embedding"] for column in features)
        expected = torch.nn.functional.cross_entropy(2 * pairwise_log_fidelity(queries, positives), torch.arange(3))
        torch.testing.assert_close(run(loss), expected)
        assert loss.get_config_dict()["similarity_fct"] != "cos_sim"
    assert run(losses.MultipleNegativesRankingLoss(classical)).isfinite()
