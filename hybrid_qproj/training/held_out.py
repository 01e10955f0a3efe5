"""The loss on a fixed set of examples: to say how a run went, and to choose its best step on texts held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from sentence_transformers.base.evaluation import BaseEvaluator
from sentence_transformers.util import batch_to_device

from hybrid_qproj.sbert import Encoder
from hybrid_qproj.text.sides import Side, side_prompt
from hybrid_qproj.training.columns import column_sides
from hybrid_qproj.training.head_loss import HeadLoss

TEXT = "text"
"""Column of data that are texts alone."""


def mean_loss(loss: HeadLoss, columns: Mapping[str, Sequence[str]], batch_size: int, whole: bool = True) -> float:
    """The loss on given examples, batch by batch in their order, without training.

    Args:
        loss: of a model.
        columns: texts by name, of equal length.
        batch_size: examples of a batch; losses that compare the examples of a batch depend on it.
        whole: whether what is left after whole batches counts only where there are none.

    Returns:
        the mean over batches.
    """
    model = loss.model
    assert isinstance(model, Encoder)
    sides = column_sides(list(columns))
    rows = min(map(len, columns.values()))
    end = (rows - rows % batch_size or rows) if whole else rows
    was_training = loss.training
    loss.eval()
    values = []
    with torch.no_grad():
        for start in range(0, end, batch_size):
            features = [
                _features(model, column[start : start + batch_size], sides[name]) for name, column in columns.items()
            ]
            values.append(loss(features).item())
    loss.train(was_training)
    return sum(values) / len(values)


def _features(model: Encoder, texts: Sequence[str], side: Side) -> dict[str, Any]:
    """A column of a batch, as it is trained on."""
    features = model.preprocess(list(texts), prompt=side_prompt(model, side) or None, task=side)
    return batch_to_device(features, model.device)


class HeldOutLoss(BaseEvaluator):
    """An objective on texts that are not trained on; lower is better.

    Args:
        texts: texts without labels.
        loss: of the model that is trained.
        batch_size: texts of a batch; the loss of distillation depends on it.
    """

    def __init__(self, texts: Sequence[str], loss: HeadLoss, batch_size: int) -> None:
        super().__init__()
        self.texts = list(texts)
        self.loss = loss
        self.batch_size = batch_size
        self.greater_is_better = False
        self.primary_metric: str = "held_out_loss"

    def __call__(
        self, model: Any, output_path: str | None = None, epoch: int = -1, steps: int = -1
    ) -> dict[str, float]:
        """Evaluate.

        Args:
            model: an `Encoder`.
            output_path: ignored; the loss goes to the trainer's log.
            epoch: ignored.
            steps: ignored.

        Returns:
            the mean over batches.
        """
        assert isinstance(model, Encoder)
        return {self.primary_metric: mean_loss(self.loss, {TEXT: self.texts}, self.batch_size, whole=False)}
