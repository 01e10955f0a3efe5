"""Learning from labels: a query's positive passage must score above its negatives."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from hybrid_qproj.heads.base import Head
from hybrid_qproj.similarity.fidelity import LOGARITHMIC, PAIRED
from hybrid_qproj.training.objectives.base import Batch, Objective, ObjectiveError, check_scale

LEAST_COLUMNS = 2


class Contrastive(Objective):
    """Cross-entropy of the positive among all passages of a query, by a softmax over scaled similarities.

    The published objective is ``Contrastive()``: 20 times the fidelity, of one positive and the query's own hard
    negatives (arXiv:2501.04591). Fidelity over many qubits is close to 0 for most pairs, where it has no gradient;
    ``log=True`` takes its logarithm instead, which has, with a temperature that is learnt.

    Args:
        scale: factor on the similarity (inverse temperature), > 0; the initial one if it is learnt.
        learn_scale: whether the factor is trained.
        log: compare quantum heads by log-fidelity. Makes no difference to classical heads, compared by cosine.
        in_batch: take the passages of the batch's other queries as negatives too.

    Raises:
        ObjectiveError: the scale is not positive.
    """

    def __init__(
        self, scale: float = 20.0, learn_scale: bool = False, log: bool = False, in_batch: bool = False
    ) -> None:
        super().__init__()
        check_scale("scale", scale)
        self.log = log
        self.in_batch = in_batch
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)), requires_grad=learn_scale)

    def forward(self, head: Head, batch: Batch) -> Tensor:
        """The loss of a head on a batch.

        Args:
            head: the head.
            batch: columns of queries, positives, and any number of hard negatives.

        Returns:
            mean cross-entropy in nats, a scalar >= 0.

        Raises:
            ObjectiveError: no column of positives, or nothing to tell them from.
        """
        queries, passages = batch.outputs[0], batch.as_documents[1:]
        if len(batch.outputs) < LEAST_COLUMNS + (not self.in_batch):
            raise ObjectiveError(
                f"a batch of {len(batch.outputs)} columns; expected queries, positives and hard negatives "
                "(negatives may be left out only with in_batch)"
            )
        if self.in_batch:
            # Column after column, so the positive of query i is passage i.
            scores = head.pairwise_similarity(queries, torch.cat(passages))
            target = torch.arange(len(queries), device=scores.device)
        else:
            scores = PAIRED[head.similarity](queries.unsqueeze(1), torch.stack(list(passages), dim=1))
            target = torch.zeros(len(queries), dtype=torch.long, device=scores.device)
        if head.similarity in LOGARITHMIC and not self.log:
            scores = scores.exp()
        return nn.functional.cross_entropy(self.log_scale.exp() * scores, target)
