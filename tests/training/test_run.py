"""Training runs: they learn, repeat, survive a kill, and stop with a clear error."""

from __future__ import annotations

import errno
import json
import math

import numpy as np
import pytest
import torch

for _module in ("datasets", "accelerate", "sentence_transformers", "pydantic", "tensorboard"):
    pytest.importorskip(_module, reason="needs the extra 'train'")

from datasets import Dataset  # noqa: E402

from hybrid_qproj import ClassicalProjection, QuantumProjection  # noqa: E402
from hybrid_qproj.heads.checkpoint import CheckpointError  # noqa: E402
from hybrid_qproj.heads.linear import Truncation  # noqa: E402
from hybrid_qproj.retrieval.documents import MemoryDocuments  # noqa: E402
from hybrid_qproj.retrieval.protocols import TestSet  # noqa: E402
from hybrid_qproj.sbert import Encoder, ProjectionHead, with_head  # noqa: E402
from hybrid_qproj.text.embeddings.table import EmbeddingTable  # noqa: E402
from hybrid_qproj.text.encoders import load_encoder, set_trainable  # noqa: E402
from hybrid_qproj.training import checkpoints, run  # noqa: E402
from hybrid_qproj.training.evaluators import RetrievalEvaluator  # noqa: E402
from hybrid_qproj.training.objectives import Contrastive, SimilarityDistillation  # noqa: E402
from hybrid_qproj.training.run import train  # noqa: E402
from hybrid_qproj.training.settings import TrainingSettings  # noqa: E402
from hybrid_qproj.training.trainer import HeadTrainer, TrainingError  # noqa: E402

TEXTS = [f"text {number}" for number in range(40)]
ROWS = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
PLAIN = Dataset.from_dict({"text": TEXTS})
PAIRS = Dataset.from_dict({"query": TEXTS[:20], "positive": TEXTS[20:], "negative_1": TEXTS[1:21]})
SETTINGS = TrainingSettings(epochs=3, batch_size=8, learning_rate=2e-2)


def on_table(kind=QuantumProjection, rows=ROWS, **keywords):
    """A model on a table, its head always with the same start."""
    torch.manual_seed(0)
    if kind is QuantumProjection:
        keywords = {"circuit": "rotor", "scale": 1.0, **keywords}
    head = kind(8, 3, **keywords)
    return Encoder(modules=[EmbeddingTable.of(TEXTS, rows), ProjectionHead(head)], device="cpu")


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters() if p.requires_grad])


def both():
    """Data and objectives of labels and texts in turn."""
    return (
        {"labels": PAIRS, "texts": PLAIN},
        {"labels": Contrastive(2.0, learn_scale=True, log=True), "texts": SimilarityDistillation(20, 2)},
    )


@pytest.mark.parametrize("kind", [QuantumProjection, ClassicalProjection])
def test_learns_and_repeats(kind, tmp_path):
    """The loss falls; the same seed gives the same weights, another one others."""
    found = []
    for number, seed in enumerate((1, 1, 2)):
        model = on_table(kind)
        losses = train(
            model, {"texts": PLAIN}, {"texts": SimilarityDistillation(20, 2)}, SETTINGS, tmp_path / str(number), seed
        )
        assert losses.last < losses.first
        assert not model.training
        found.append(weights(model))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


class Killed(BaseException):
    """Stands for a kill: nothing in the trainer catches it."""


def kill_at(step, monkeypatch):
    """Let the trainer die in a step."""
    whole = HeadTrainer.training_step

    def training_step(self, *args, **kwargs):
        if self.state.global_step == step:
            raise Killed
        return whole(self, *args, **kwargs)

    monkeypatch.setattr(HeadTrainer, "training_step", training_step)


@pytest.mark.parametrize("step", [4, 5, 9])
def test_killed_run_resumes_to_the_same_weights(step, tmp_path, monkeypatch):
    """In the middle of an epoch or just after one: weights, temperatures and losses end equal to the last bit."""
    settings = SETTINGS.model_copy(update={"checkpoint_steps": 2, "schedule": "cosine"})
    data, objectives = both()
    straight = on_table()
    expected = train(straight, data, objectives, settings, tmp_path / "straight", seed=3)
    with monkeypatch.context() as patch:
        kill_at(step, patch)
        with pytest.raises(Killed):
            train(on_table(), *both(), settings, tmp_path / "killed", seed=3)
    model = on_table()
    data, resumed = both()
    assert train(model, data, resumed, settings, tmp_path / "killed", seed=3) == expected
    assert torch.equal(weights(model), weights(straight))
    for name, objective in objectives.items():
        assert all(torch.equal(a, b) for a, b in zip(objective.parameters(), resumed[name].parameters(), strict=True))


def test_encoder_trains_and_resumes_too(tiny_bert, tmp_path, monkeypatch):
    """The last layer of a transformer with its head, dropout and all."""
    words = ["quantum", "cat", "mat", "state", "sat"]
    texts = Dataset.from_dict({"text": [f"a {x} on the {y}" for x in words for y in words]})
    settings = TrainingSettings(epochs=2, batch_size=5, learning_rate=1e-2, checkpoint_steps=2)

    def run(folder):
        torch.manual_seed(0)
        encoder = load_encoder(tiny_bert, max_tokens=16, device="cpu")
        set_trainable(encoder, 1)
        model = with_head(encoder, ClassicalProjection(24, 4))
        losses = train(model, {"texts": texts}, {"texts": SimilarityDistillation()}, settings, folder, seed=1)
        return model, losses

    before = load_encoder(tiny_bert, max_tokens=16, device="cpu").state_dict()
    straight, expected = run(tmp_path / "straight")
    changed = {k for k, v in straight.state_dict().items() if k in before and not torch.equal(v, before[k])}
    assert changed
    assert all(".layer.2." in name for name in changed)
    with monkeypatch.context() as patch:
        kill_at(7, patch)
        with pytest.raises(Killed):
            run(tmp_path / "killed")
    model, losses = run(tmp_path / "killed")
    assert losses == expected
    assert torch.equal(weights(model), weights(straight))


def test_best_epoch_is_kept(tmp_path):
    """After a last epoch that ruins the head, the weights are those of the best epoch before."""
    dev = TestSet(
        "dev",
        {"q": TEXTS[0]},
        {"q": {"d1": 1}},
        {"q": ("d1", "d2", "d3")},
        {"d1": TEXTS[20], "d2": TEXTS[21], "d3": TEXTS[22]},
        MemoryDocuments({}),
    )
    values = iter([0.5, 0.9, 0.1])

    class Scripted(RetrievalEvaluator):
        def __call__(self, model, **_):
            seen.append(weights(model).clone())
            return {self.primary_metric: next(values)}

    seen = []
    model = on_table()
    train(model, *both(), SETTINGS, tmp_path, evaluator=Scripted(dev, ["NDCG@10"]))
    assert len(seen) == 3
    assert torch.equal(weights(model), seen[1])


def test_anchor(tmp_path):
    """A head that is held to its start stays near it, and a killed run still knows the start."""
    settings = SETTINGS.model_copy(update={"anchor": 100.0})
    free, held, begun = on_table(), on_table(), on_table()
    train(free, *both(), SETTINGS, tmp_path / "free")
    train(held, *both(), settings, tmp_path / "held")
    assert (weights(free) - weights(begun)).norm() > 5 * (weights(held) - weights(begun)).norm() > 0


def test_held_out_texts_choose_the_step(tmp_path):
    """The weights that stay are those of a step that was looked at, the best one by the loss on texts held out."""
    settings = SETTINGS.model_copy(
        update={"held_out": 8, "evaluation_steps": 2, "steps": 10, "learning_rate": 1.0, "keep_checkpoints": 9}
    )
    model = on_table()
    train(model, {"texts": PLAIN}, {"texts": SimilarityDistillation(20, 2)}, settings, tmp_path)
    state = json.loads((tmp_path / "checkpoint-10" / "trainer_state.json").read_text())
    losses = {entry["step"]: entry["eval_held_out_loss"] for entry in state["log_history"] if "eval_runtime" in entry}
    assert sorted(losses) == [2, 4, 6, 8, 10]
    best = tmp_path / f"checkpoint-{min(losses, key=losses.get)}"
    expected = on_table()
    checkpoints.load_weights(expected, best)
    assert torch.equal(weights(model), weights(expected))


@pytest.mark.parametrize(("held_out", "message"), [(38, "compares at least 3"), (2, "at least 3")])
def test_refuses_to_hold_out_too_much_or_too_little(tmp_path, held_out, message):
    """Both sides must have texts to compare; labels alone have none to hold out."""
    settings = SETTINGS.model_copy(update={"held_out": held_out})
    with pytest.raises(ValueError, match=message):
        train(on_table(), {"texts": PLAIN}, {"texts": SimilarityDistillation(20, 2)}, settings, tmp_path)
    with pytest.raises(ValueError, match="only texts without labels can be held out"):
        train(on_table(), {"labels": PAIRS}, {"labels": Contrastive()}, settings, tmp_path)


def test_nan_stops_and_leaves_a_loadable_checkpoint(tmp_path, monkeypatch):
    """An embedding that is not finite: the error says in which step, and the checkpoint before can be read."""
    rows = ROWS.copy()
    rows[25] = np.inf
    # It is not among the examples that are judged before training, where it would be seen at once.
    monkeypatch.setattr(run, "MOST_JUDGED", 8)
    settings = SETTINGS.model_copy(update={"checkpoint_steps": 1, "batch_size": 4, "steps": 40})
    with pytest.raises(TrainingError, match=r"the loss became nan in step \d+ of 40: lower learning_rate"):
        train(
            on_table(ClassicalProjection, rows),
            {"texts": PLAIN},
            {"texts": SimilarityDistillation()},
            settings,
            tmp_path,
        )
    checkpoint = checkpoints.last_checkpoint(tmp_path)
    model = on_table(ClassicalProjection)
    checkpoints.load_weights(model, checkpoint)
    assert weights(model).isfinite().all()


def test_full_disk_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    """The error says what is free and that the run can go on; it then does."""
    settings = SETTINGS.model_copy(update={"checkpoint_steps": 2})
    whole = checkpoints.save_losses

    def full(losses, folder):
        if folder.name == "checkpoint-4":
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(losses, folder)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save_losses", full)
        with pytest.raises(
            TrainingError, match=r"checkpoint 4 could not be written.*No space left.*run the same command"
        ):
            train(on_table(), *both(), settings, tmp_path)
    assert checkpoints.last_checkpoint(tmp_path).name in ("checkpoint-2", "checkpoint-3")
    assert math.isfinite(train(on_table(), *both(), settings, tmp_path).last)


def test_torn_checkpoints(tmp_path):
    """A checkpoint whose writing was interrupted does not count; if none is whole, that is an error."""
    settings = SETTINGS.model_copy(update={"keep_checkpoints": 5})
    train(on_table(), *both(), settings, tmp_path)
    found = sorted(tmp_path.glob("checkpoint-*"), key=lambda p: int(p.name[11:]))
    (found[-1] / checkpoints.STATE).write_text("{")
    assert checkpoints.last_checkpoint(tmp_path) == found[-2]
    (found[-2] / checkpoints.OBJECTIVE).write_bytes(b"torn")
    with pytest.raises(CheckpointError, match=r"objective.safetensors cannot be read"):
        train(on_table(), *both(), settings, tmp_path)
    for checkpoint in found[:-1]:
        (checkpoint / checkpoints.STATE).unlink()
    with pytest.raises(CheckpointError, match=r"no checkpoint in .* is whole"):
        train(on_table(), *both(), settings, tmp_path)


def test_torn_first_checkpoint(tmp_path):
    """Interrupted while it wrote its first checkpoint, a run starts again, to the same result."""
    expected = train(on_table(), *both(), SETTINGS, tmp_path / "straight")
    torn = tmp_path / "cut" / "checkpoint-2"
    torn.mkdir(parents=True)
    (torn / checkpoints.STATE).write_text("{")
    assert train(on_table(), *both(), SETTINGS, tmp_path / "cut") == expected


def test_logs_for_tensorboard(tmp_path):
    """Losses are where TensorBoard looks."""
    train(on_table(), *both(), SETTINGS, tmp_path)
    assert list(tmp_path.rglob("events.out.tfevents.*"))
    state = json.loads((checkpoints.last_checkpoint(tmp_path) / checkpoints.STATE).read_text())
    assert state["global_step"] == 18  # three epochs of three batches each of labels and texts


def test_nothing_is_written_unless_asked(tmp_path):
    """Cells of a grid leave no files."""
    train(on_table(), *both(), SETTINGS, tmp_path / "none", keep=False)
    assert not list((tmp_path).rglob("*.safetensors"))


def test_accumulation_is_a_larger_batch(tmp_path):
    """Two passes of 4 are a step of 8, for a loss that is a mean over examples."""
    found = []
    for batch, passes in ((8, 1), (4, 2)):
        model = on_table()
        settings = TrainingSettings(steps=2, batch_size=batch, accumulation=passes, learning_rate=1e-2)
        train(model, {"labels": PAIRS}, {"labels": Contrastive(2.0, log=True)}, settings, tmp_path / str(batch), seed=1)
        found.append(weights(model))
    assert torch.allclose(*found, atol=1e-5)


def test_encoder_learning_rate(tiny_bert, tmp_path):
    """Layers of the encoder move at their own rate."""
    moved = []
    for rate in (1e-3, 1e-6):
        torch.manual_seed(0)
        encoder = load_encoder(tiny_bert, max_tokens=16, device="cpu")
        set_trainable(encoder, 1)
        before = weights(encoder).clone()
        model = with_head(encoder, ClassicalProjection(24, 4))
        settings = TrainingSettings(steps=2, batch_size=4, learning_rate=1e-3, encoder_learning_rate=rate)
        texts = Dataset.from_dict({"text": ["a cat", "the mat", "quantum state", "a state"]})
        train(model, {"texts": texts}, {"texts": SimilarityDistillation()}, settings, tmp_path / str(rate))
        moved.append((weights(encoder) - before).abs().max().item())
    assert moved[0] > 100 * moved[1] > 0


def test_bfloat16(tmp_path):
    """Mixed precision trains; the head computes in float32 whatever autocast says."""
    settings = SETTINGS.model_copy(update={"precision": "bf16"})
    assert math.isfinite(train(on_table(), *both(), settings, tmp_path).last)


def test_refusals(tmp_path):
    """Nothing to train, nothing to train on, settings that do nothing."""
    with pytest.raises(ValueError, match="have no trainable parameters"):
        train(on_table(Truncation), {"texts": PLAIN}, {"texts": SimilarityDistillation()}, SETTINGS, tmp_path)
    with pytest.raises(ValueError, match="the training data 'texts' is empty"):
        train(on_table(), {"texts": PLAIN.select([])}, {"texts": SimilarityDistillation()}, SETTINGS, tmp_path)
    with pytest.raises(ValueError, match="warmup with schedule = 'constant' would do nothing"):
        TrainingSettings(warmup=0.1)
