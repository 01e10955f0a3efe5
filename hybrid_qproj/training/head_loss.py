"""An objective in the form that sentence-transformers trains: features of each column in, a loss out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from sentence_transformers.base.modules import Router
from torch import Tensor, nn

from hybrid_qproj.sbert import UNCOMPRESSED, Encoder
from hybrid_qproj.training.objectives import Batch, Objective

Features = dict[str, Any]
ROWS = frozenset({"input_ids", "attention_mask", "token_type_ids", "sentence_embedding"})
"""Tensors that have a row for each text, unless others are beside them."""
EARLIER = ("first", "last")
"""What earlier versions kept beside the objective's parameters: losses of single batches."""


class HeadLoss(nn.Module):
    """Runs the columns of a batch through a model and hands what comes of them to an objective.

    Args:
        model: the encoder with its head. The trainer puts its wrapped version (distributed, compiled) in its place.
        objective: the loss.
    """

    def __init__(self, model: Encoder, objective: Objective) -> None:
        super().__init__()
        self.model: nn.Module = model
        self._by_side = any(isinstance(module, Router) for module in model.modules())
        # Not a submodule: it is the model's own, and the optimiser would meet its parameters twice.
        self._head = [model.head]
        self.objective = objective

    def forward(self, features: Sequence[Features], labels: Tensor | None = None) -> Tensor:
        """The loss of a batch.

        Args:
            features: of each column, as the model's ``preprocess`` makes them.
            labels: ignored; the columns say what is positive.

        Returns:
            a scalar.
        """
        if not self._by_side:
            # Done with when the texts were read; else queries and documents would not go through the head together.
            features = [{name: value for name, value in column.items() if name != "task"} for column in features]
        results = [self.model(part) for part in _joined(features)]
        # All columns of a batch have the same number of rows.
        sizes = sum(len(result[UNCOMPRESSED]) for result in results) // len(features)
        embeddings = torch.cat([result[UNCOMPRESSED] for result in results]).split(sizes)
        outputs = torch.cat([result["sentence_embedding"] for result in results]).split(sizes)
        return self.objective(self._head[0], Batch(embeddings, outputs))

    def own_state(self) -> dict[str, Tensor]:
        """What a checkpoint of the model does not hold: the objective's parameters."""
        return {name: value for name, value in self.state_dict().items() if not name.startswith("model.")}

    def load_own_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `own_state` gave.

        Raises:
            RuntimeError: it is of another objective.
        """
        known = {name: value for name, value in state.items() if name not in EARLIER}
        missing, unexpected = self.load_state_dict(known, strict=False)
        wrong = [*unexpected, *(name for name in missing if not name.startswith("model."))]
        if wrong:
            raise RuntimeError(f"the state of another objective: {', '.join(wrong)}")


def _joined(features: Sequence[Features]) -> list[Features]:
    """Columns of equal shapes as one.

    The circuits of a training step run once for each call of the head, whatever the number of rows.
    """
    if len({_form(column) for column in features}) > 1 or not all(map(_by_rows, features)):
        return list(features)
    first = features[0]
    return [{name: torch.cat([c[name] for c in features]) if isinstance(v, Tensor) else v for name, v in first.items()}]


def _form(column: Features) -> tuple[tuple[str, Any], ...]:
    """Names, shapes of a row, and what is no tensor, such as the kind of input."""
    return tuple((name, v.shape[1:] if isinstance(v, Tensor) else v) for name, v in sorted(column.items()))


def _by_rows(column: Features) -> bool:
    """Whether each row of the tensors is a text's: tokens of static embeddings, for one, stand in a single line."""
    return all(name in ROWS for name, value in column.items() if isinstance(value, Tensor))
