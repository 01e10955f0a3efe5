"""Measuring after each epoch: what is seen, and that nothing else changes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

for _module in ("datasets", "accelerate", "sentence_transformers", "pydantic", "tensorboard", "pytrec_eval"):
    pytest.importorskip(_module, reason="needs the extra 'train'")

from datasets import Dataset  # noqa: E402

from hybrid_qproj import ClassicalProjection, QuantumProjection  # noqa: E402
from hybrid_qproj.heads.checkpoint import CheckpointError  # noqa: E402
from hybrid_qproj.retrieval.documents import MemoryDocuments  # noqa: E402
from hybrid_qproj.retrieval.measures import evaluate_run  # noqa: E402
from hybrid_qproj.retrieval.protocols import TestSet, rank  # noqa: E402
from hybrid_qproj.sbert import Encoder, ProjectionHead  # noqa: E402
from hybrid_qproj.text.embeddings.table import EmbeddingTable  # noqa: E402
from hybrid_qproj.training.checkpoints import last_checkpoint  # noqa: E402
from hybrid_qproj.training.epochs import FILE, read_epochs  # noqa: E402
from hybrid_qproj.training.evaluators import RetrievalEvaluator  # noqa: E402
from hybrid_qproj.training.objectives import Contrastive  # noqa: E402
from hybrid_qproj.training.run import train  # noqa: E402
from hybrid_qproj.training.settings import TrainingSettings  # noqa: E402
from hybrid_qproj.training.trainer import HeadTrainer, TrainingError  # noqa: E402
from hybrid_qproj.training.watch import EpochWatch  # noqa: E402

TEXTS = [f"text {number}" for number in range(40)]
ROWS = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
PAIRS = Dataset.from_dict({"query": TEXTS[:15], "positive": TEXTS[20:35], "negative_1": TEXTS[1:16]})
HELD_OUT = {"query": TEXTS[15:20], "positive": TEXTS[35:], "negative_1": TEXTS[:5]}
# Three steps an epoch, the last one of fewer examples.
SETTINGS = TrainingSettings(epochs=3, batch_size=6, learning_rate=2e-2)
DOCUMENTS = {f"d{number}": TEXTS[20 + number] for number in range(6)}
TEST = TestSet(
    "test",
    {"q1": TEXTS[0], "q2": TEXTS[1]},
    {"q1": {"d0": 1}, "q2": {"d1": 1, "d2": 2}},
    {"q1": tuple(DOCUMENTS), "q2": tuple(DOCUMENTS)},
    DOCUMENTS,
    MemoryDocuments({}),
)


def on_table(kind=ClassicalProjection, rows=ROWS):
    """A model on a table, its head always with the same start."""
    torch.manual_seed(0)
    keywords = {"circuit": "rotor", "scale": 1.0} if kind is QuantumProjection else {}
    return Encoder(modules=[EmbeddingTable.of(TEXTS, rows), ProjectionHead(kind(8, 3, **keywords))], device="cpu")


def run(folder, watch=None, settings=SETTINGS, keep=True, model=None, evaluator=None):
    """A run with a learnt temperature."""
    model = model or on_table()
    objective = Contrastive(2.0, learn_scale=True, log=True)
    losses = train(model, {"labels": PAIRS}, {"labels": objective}, settings, folder, 3, evaluator, keep, watch)
    return model, losses, objective


def watching(tests=(TEST,), validation=HELD_OUT):
    return EpochWatch(tests, ["NDCG@10"], validation)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters() if p.requires_grad])


def cross_entropy(model, objective):
    """The mean over batches of the validation loss, without the package's loop."""
    columns = [model.encode(texts, convert_to_tensor=True) for texts in HELD_OUT.values()]
    scores = torch.stack([torch.cosine_similarity(columns[0], other) for other in columns[1:]], dim=1)
    return torch.nn.functional.cross_entropy(
        objective.log_scale.exp() * scores, torch.zeros(5, dtype=torch.long)
    ).item()


@pytest.mark.parametrize("kind", [QuantumProjection, ClassicalProjection])
def test_nothing_else_changes(kind, tmp_path):
    """The same weights and losses to the last bit, watched or not, with checkpoints or without."""
    plain, expected, _ = run(tmp_path / "plain", model=on_table(kind))
    for number, keep in enumerate((True, False)):
        watch = watching()
        model, losses, _ = run(tmp_path / str(number), watch, keep=keep, model=on_table(kind))
        assert losses == expected
        assert torch.equal(weights(model), weights(plain))
        assert [epoch.epoch for epoch in watch.epochs] == [1, 2, 3]


def test_what_is_measured(tmp_path):
    """After the last epoch, what the trained model gives; before it, something else."""
    watch = watching()
    model, _, objective = run(tmp_path, watch)
    last = watch.epochs[-1]
    assert last.measures == {"test": evaluate_run(TEST.qrels, rank(model, TEST), ["NDCG@10"])}
    assert last.validation == pytest.approx(cross_entropy(model, objective), rel=1e-5)
    assert len({epoch.validation for epoch in watch.epochs}) == 3


def test_only_what_is_asked_for(tmp_path):
    """Tests without validation, and the other way round."""
    for number, (watch, measures, validation) in enumerate(
        ((watching(validation=None), {"test"}, False), (watching(tests=()), set(), True))
    ):
        run(tmp_path / str(number), watch)
        assert all(epoch.measures.keys() == measures for epoch in watch.epochs)
        assert all((epoch.validation is not None) == validation for epoch in watch.epochs)


def test_steps_that_end_within_an_epoch(tmp_path):
    """The end counts too."""
    watch = watching()
    run(tmp_path, watch, SETTINGS.model_copy(update={"steps": 4}))
    assert [epoch.epoch for epoch in watch.epochs] == [1, pytest.approx(4 / 3)]


class Killed(BaseException):
    """Stands for a kill: nothing in the trainer catches it."""


@pytest.mark.parametrize("step", [2, 3, 4, 6, 8])
def test_killed_run_goes_on(step, tmp_path, monkeypatch):
    """In the middle of an epoch or just after one: every epoch is there once, as without the interruption."""
    settings = SETTINGS.model_copy(update={"checkpoint_steps": 1, "keep_checkpoints": 9})
    straight = watching()
    expected, _, _ = run(tmp_path / "straight", straight, settings)
    whole = HeadTrainer.training_step

    def training_step(self, *args, **kwargs):
        if self.state.global_step == step:
            raise Killed
        return whole(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(HeadTrainer, "training_step", training_step)
        with pytest.raises(Killed):
            run(tmp_path / "killed", watching(), settings)
    for _ in range(2):  # once more when it is finished
        watch = watching()
        model, _, _ = run(tmp_path / "killed", watch, settings)
        assert watch.epochs == straight.epochs
        assert torch.equal(weights(model), weights(expected))


def test_a_checkpoint_at_the_end_of_an_epoch_knows_it(tmp_path):
    """Also one that a step asked for: a run that goes on from there has no other chance to look."""
    run(tmp_path, watching(), SETTINGS.model_copy(update={"checkpoint_steps": 1, "keep_checkpoints": 9}))
    for step in range(1, 10):
        assert len(read_epochs(tmp_path / f"checkpoint-{step}")) == step // 3


def test_the_best_epoch_is_another_matter(tmp_path):
    """Where a dev set chooses the epoch, all of them are recorded all the same."""

    class Scripted(RetrievalEvaluator):
        def __call__(self, model, **_):
            seen.append(weights(model).clone())
            return {self.primary_metric: [0.5, 0.9, 0.1][len(seen) - 1]}

    seen = []
    watch = watching()
    model, _, _ = run(tmp_path, watch, evaluator=Scripted(TEST, ["NDCG@10"]))
    assert torch.equal(weights(model), seen[1])
    assert [epoch.epoch for epoch in watch.epochs] == [1, 2, 3]


def test_runs_that_were_not_watched(tmp_path):
    """A run cannot be watched from its middle on; the error says what to delete."""
    run(tmp_path)
    with pytest.raises(CheckpointError, match=rf"{FILE} cannot be read .*or {tmp_path} to start again"):
        run(tmp_path, watching())


def test_edited_epochs(tmp_path):
    """A checkpoint's record of them is bound to it, as its weights are."""
    run(tmp_path, watching())
    (last_checkpoint(tmp_path) / FILE).write_text("[]")
    with pytest.raises(CheckpointError, match=FILE):
        run(tmp_path, watching())


def test_a_validation_loss_that_is_no_number(tmp_path, monkeypatch):
    """The run stops: what cannot be compared cannot be chosen by."""
    monkeypatch.setattr("hybrid_qproj.training.watch.mean_loss", lambda *_, **__: math.inf)
    with pytest.raises(TrainingError, match="the loss on the validation examples is inf after epoch 1: lower"):
        run(tmp_path, watching())
