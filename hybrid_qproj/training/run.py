"""A training run: data and objectives in, a trained model and its losses out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from transformers import PrinterCallback, TrainerCallback

from hybrid_qproj.heads.linear import trainable_parameters
from hybrid_qproj.sbert import Encoder
from hybrid_qproj.training.checkpoints import finished_with, load_losses, load_weights, resume_point
from hybrid_qproj.training.columns import columns_of
from hybrid_qproj.training.head_loss import HeadLoss
from hybrid_qproj.training.held_out import HeldOutLoss, mean_loss
from hybrid_qproj.training.objectives import (
    BestDistillation,
    Code,
    Contrastive,
    Objective,
    SimilarityDistillation,
    anchored,
    coded,
)
from hybrid_qproj.training.objectives.similarity import check_held_out
from hybrid_qproj.training.settings import MOST_JUDGED, Losses, TrainingSettings, UntrainableError
from hybrid_qproj.training.trainer import CheckpointEvery, HeadTrainer, training_arguments

if TYPE_CHECKING:
    from datasets import Dataset

    from hybrid_qproj.training.evaluators import RetrievalEvaluator
    from hybrid_qproj.training.watch import EpochWatch


def train(
    model: Encoder,
    data: Mapping[str, Dataset],
    objectives: Mapping[str, Objective],
    settings: TrainingSettings,
    folder: Path,
    seed: int = 0,
    evaluator: RetrievalEvaluator | HeldOutLoss | None = None,
    keep: bool = True,
    watch: EpochWatch | None = None,
    code: Code | None = None,
) -> Losses:
    """Train a model, or go on with a run that was interrupted.

    Several datasets take turns, a batch each; an epoch ends with the shortest of them.

    Args:
        model: trained in place, and left in eval mode. Which of its parameters train is the caller's choice.
        data: columns of texts: queries, positives and negatives; or texts alone. Queries get the model's prompt and
            route for queries, all else those for documents.
        objectives: one for each dataset, by the same names.
        settings: how.
        folder: of checkpoints and logs; a run found there is continued, to the same weights it would have reached
            without the interruption.
        seed: of the order of the data and of dropout.
        evaluator: run after each epoch, or as often as the settings say; the best weights are kept.
        keep: whether checkpoints and logs are written.
        watch: has what was measured after each epoch; what is trained does not depend on it.
        code: that documents will have, and are trained through; None where they stay in float.

    Returns:
        the loss before and after.

    Raises:
        UntrainableError: nothing to train, no data, or none to hold out.
        ObjectiveError: too few texts to hold some out, or a code that nothing can be trained through.
        CodecError: a code that the head's outputs cannot have.
        TrainingError: the loss is not finite, or a checkpoint could not be written.
        CheckpointError: the checkpoint to go on from cannot be read.
    """
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise UntrainableError(
            f"{type(model.head).__name__} and its encoder have no trainable parameters; use them as they are"
        )
    for name, dataset in data.items():
        if len(dataset) == 0:
            raise UntrainableError(f"the training data {name!r} is empty; check the source and what was left out of it")
    rest, held_out = _hold_out(data, objectives, settings, seed)
    losses = {
        name: HeadLoss(model, anchored(coded(objective, model.head, code), model.head, settings.anchor))
        for name, objective in objectives.items()
    }
    # Also where a run goes on: the model is given as it was at the start. Without format: trainers put a column in it.
    examples = {name: dict(dataset.with_format(None)[:MOST_JUDGED]) for name, dataset in rest.items()}
    first = _judge(model, losses, examples, settings)
    if held_out and evaluator is None:
        objective = objectives["texts"]
        assert isinstance(objective, SimilarityDistillation)
        judge = HeadLoss(model, BestDistillation(objective.teacher_scale))
        evaluator = HeldOutLoss(held_out, judge, settings.batch_size)
    in_batch = any(isinstance(objective, Contrastive) and objective.in_batch for objective in objectives.values())
    checkpoint = resume_point(folder) if keep else None
    callbacks: list[TrainerCallback] = []
    if settings.checkpoint_steps and keep:
        callbacks.append(CheckpointEvery(settings.checkpoint_steps))
    if watch is not None:
        watch.begin(model, objectives.get("labels"), settings.batch_size, checkpoint)
        callbacks.append(watch)
    encoder_trains = any(parameter.requires_grad for parameter in model[0].parameters())
    columns = columns_of(model, {name: dataset.column_names for name, dataset in rest.items()})
    trainer = HeadTrainer(
        model,
        losses,
        folder,
        args=training_arguments(settings, folder, seed, evaluator, keep, in_batch, columns, encoder_trains),
        train_dataset=rest,
        evaluator=evaluator,
        watch=watch,
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    finished = checkpoint and finished_with(checkpoint)
    if finished:
        # The trainer would take one step more.
        load_weights(model, finished)
        load_losses(losses, finished)
    else:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    model.eval()
    return Losses(first, _judge(model, losses, examples, settings))


def _judge(
    model: Encoder,
    losses: Mapping[str, HeadLoss],
    examples: Mapping[str, Mapping[str, list[str]]],
    settings: TrainingSettings,
) -> float:
    # Not the losses themselves: the trainer may have given them the model in a wrapping of its own.
    judges = {
        name: HeadLoss(model, loss.objective).to(model.device).train(model.training) for name, loss in losses.items()
    }
    return sum(mean_loss(judge, examples[name], settings.batch_size) for name, judge in judges.items())


def _hold_out(
    data: Mapping[str, Dataset], objectives: Mapping[str, Objective], settings: TrainingSettings, seed: int
) -> tuple[dict[str, Dataset], list[str]]:
    """Training data without the texts that are held out, and those."""
    if not settings.held_out:
        return dict(data), []
    texts = data.get("texts")
    if texts is None or not isinstance(objectives["texts"], SimilarityDistillation):
        raise UntrainableError(
            f"held_out={settings.held_out}: only texts without labels can be held out, and there are none"
        )
    check_held_out(len(texts), settings.held_out)
    split = texts.train_test_split(test_size=settings.held_out, seed=seed)
    return {**data, "texts": split["train"]}, list(split["test"]["text"])


def describe(model: Encoder) -> str:
    """What trains, in words for a log."""
    everything = sum(p.numel() for p in model.parameters() if p.requires_grad)
    head = trainable_parameters(model.head)
    return f"{head:,} parameters of the head, {everything - head:,} of the encoder"
