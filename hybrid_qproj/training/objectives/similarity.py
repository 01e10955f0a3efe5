"""Learning without labels: a head keeps the neighbourhoods of the uncompressed embeddings."""

from __future__ import annotations

import math

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn

from hybrid_qproj.heads.base import Head
from hybrid_qproj.similarity.fidelity import pairwise_cosine
from hybrid_qproj.training.objectives.base import Batch, Objective, ObjectiveError, check_scale

LEAST_TEXTS = 3
"""A text needs two others to prefer one."""
LOG_SCALES = (-5.0, 10.0)
"""Logarithms of the temperatures among which the best is sought."""


class SimilarityDistillation(Objective):
    """Teach a head the neighbourhoods of the uncompressed embeddings; no labels.

    For each text of a batch, the teacher's cosines to the others become a distribution by a softmax at a fixed
    temperature, the student's scores one at a learnt temperature; the loss is the mean cross-entropy between
    them minus the teacher's entropy, i.e. the Kullback-Leibler divergence (Hinton et al. 2015, over the batch
    in place of classes). Where the encoder trains too, its current embeddings are the teacher, without gradient.

    Args:
        teacher_scale: factor on the teacher's cosines before the softmax, > 0.
        student_scale: initial factor on the student's scores, > 0; trained.

    Raises:
        ObjectiveError: a scale is not positive.
    """

    def __init__(self, teacher_scale: float = 20.0, student_scale: float = 20.0) -> None:
        super().__init__()
        check_scale("teacher_scale", teacher_scale)
        check_scale("student_scale", student_scale)
        self.teacher_scale = teacher_scale
        self.log_student_scale = nn.Parameter(torch.tensor(math.log(student_scale)))

    def forward(self, head: Head, batch: Batch) -> Tensor:
        """The loss of a head on a batch.

        Args:
            head: the student.
            batch: at least three texts; all columns are texts alike.

        Returns:
            divergence in nats, a scalar >= 0.

        Raises:
            ObjectiveError: fewer than three texts.
        """
        scores, log_teacher = _compared(head, batch, self.teacher_scale)
        return _divergence(self.log_student_scale.exp() * scores, log_teacher)


class BestDistillation(Objective):
    """The loss of `SimilarityDistillation` at the student's best temperature: for judging a head, not for training it.

    Args:
        teacher_scale: see `SimilarityDistillation`.
    """

    def __init__(self, teacher_scale: float = 20.0) -> None:
        super().__init__()
        self.teacher_scale = teacher_scale

    @torch.no_grad()
    def forward(self, head: Head, batch: Batch) -> Tensor:
        """The least loss over all temperatures, to three digits; see `SimilarityDistillation.forward`."""
        scores, log_teacher = _compared(head, batch, self.teacher_scale)

        def loss(log_scale: float) -> float:
            return _divergence(math.exp(log_scale) * scores, log_teacher).item()

        # The loss is convex in the scale.
        found = minimize_scalar(loss, bounds=LOG_SCALES, method="bounded", options={"xatol": 1e-2})
        return scores.new_tensor(float(found.fun))


def check_held_out(texts: int, held_out: int) -> None:
    """Refuse to hold out so many texts that distillation could not compare them, or the rest.

    Args:
        texts: how many there are.
        held_out: how many of them are to be held out; 0 for none.

    Raises:
        ObjectiveError: there are too few on one side.
    """
    if texts - held_out < LEAST_TEXTS or 0 < held_out < LEAST_TEXTS:
        raise ObjectiveError(
            f"{texts} texts, held_out={held_out}; distillation compares at least {LEAST_TEXTS}, and holds out none or "
            f"at least {LEAST_TEXTS}"
        )


def _compared(head: Head, batch: Batch, teacher_scale: float) -> tuple[Tensor, Tensor]:
    """The student's scores of all pairs of texts, and the teacher's log-probabilities, (n, n) each."""
    outputs, embeddings = torch.cat(batch.outputs), torch.cat(batch.embeddings)
    if len(outputs) < LEAST_TEXTS:
        raise ObjectiveError(
            f"a batch of {len(outputs)} texts; distillation compares at least {LEAST_TEXTS}: raise batch_size"
        )
    with torch.no_grad():
        teacher = teacher_scale * pairwise_cosine(embeddings, embeddings)
    # A text says nothing about itself.
    log_teacher = teacher.masked_fill(_itself(teacher), -math.inf).log_softmax(dim=1)
    return head.pairwise_similarity(outputs, torch.cat(batch.as_documents)), log_teacher


def _divergence(student: Tensor, log_teacher: Tensor) -> Tensor:
    log_student = student.masked_fill(_itself(student), -math.inf).log_softmax(dim=1)
    divergence = log_teacher.exp() * (log_teacher - log_student)
    return divergence.masked_fill(_itself(student), 0).sum(dim=1).mean()


def _itself(pairs: Tensor) -> Tensor:
    return torch.eye(len(pairs), dtype=torch.bool, device=pairs.device)
