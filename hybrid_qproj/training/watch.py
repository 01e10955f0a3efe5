"""Measures a model after each epoch of its training. That decides nothing: which epoch counts is chosen afterwards."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hybrid_qproj.retrieval.measures import MEASURES, evaluate_run
from hybrid_qproj.retrieval.protocols import TestSet, rank
from hybrid_qproj.sbert import Encoder
from hybrid_qproj.training.epochs import Epoch, read_epochs
from hybrid_qproj.training.head_loss import HeadLoss
from hybrid_qproj.training.held_out import mean_loss
from hybrid_qproj.training.objectives import Objective
from hybrid_qproj.training.trainer import TrainingError


class EpochWatch(TrainerCallback):
    """Measures a model after each epoch of its training.

    Args:
        tests: evaluated then.
        measures: see `hybrid_qproj.retrieval.measures.evaluate_run`.
        validation: columns of labelled examples that are not trained on, of equal length; empty for none.
        batch_size: texts encoded at once for the tests.

    Attributes:
        epochs: what was measured, in order; a run that goes on has what was measured before it was interrupted.
    """

    def __init__(
        self,
        tests: Sequence[TestSet] = (),
        measures: Sequence[str] = MEASURES,
        validation: Mapping[str, Sequence[str]] | None = None,
        batch_size: int = 64,
    ) -> None:
        self.tests = tuple(tests)
        self.measures = tuple(measures)
        self.validation = dict(validation or {})
        self.batch_size = batch_size
        self.epochs: list[Epoch] = []
        self._model: Encoder | None = None
        self._objective: Objective | None = None
        self._loss_batch = 1

    def begin(self, model: Encoder, objective: Objective | None, loss_batch: int, checkpoint: Path | None) -> None:
        """Take what a run is about to train.

        Args:
            model: the model, not the trainer's wrapping of it.
            objective: on labels; None where nothing is trained on them.
            loss_batch: examples of a batch of the validation loss.
            checkpoint: from which the run goes on; None for a new one.

        Raises:
            CheckpointError: the checkpoint does not tell of the epochs before it.
        """
        self._model, self._objective, self._loss_batch = model, objective, loss_batch
        self.epochs = [] if checkpoint is None else read_epochs(checkpoint)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Called by the trainer after each optimiser step, and before the checkpoint that may be written then."""
        epoch = state.epoch or 0.0
        if epoch == round(epoch) or state.global_step >= state.max_steps:
            self.epochs.append(self._look(epoch))
        return control

    def _look(self, epoch: float) -> Epoch:
        model = self._model
        assert model is not None
        training = model.training
        model.eval()
        loss = None
        if self.validation and self._objective is not None:
            judge = HeadLoss(model, self._objective).eval()
            loss = mean_loss(judge, self.validation, self._loss_batch, whole=False)
            if not math.isfinite(loss):
                raise TrainingError(
                    f"the loss on the validation examples is {loss} after epoch {epoch:g}: lower learning_rate, or "
                    "look for texts whose embeddings are not finite"
                )
        measures = {
            test.name: evaluate_run(test.qrels, rank(model, test, self.batch_size), self.measures, test.relevant)
            for test in self.tests
        }
        model.train(training)
        return Epoch(epoch, loss, measures)
