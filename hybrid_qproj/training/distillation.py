"""Learning without labels: a head keeps the neighbourhoods of the uncompressed embeddings."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from hybrid_qproj.head import Head
from hybrid_qproj.similarity import pairwise_cosine
from hybrid_qproj.training.objectives import Batch, Objective


class SimilarityDistillation(Objective):
    """Teach a head the neighbourhoods of the uncompressed embeddings; no labels.

    For each text of a batch, the teacher's cosines to the others become a distribution by a softmax at a fixed
    temperature, the student's scores one at a learnt temperature; the loss is the mean cross-entropy between
    them minus the teacher's entropy, i.e. the Kullback-Leibler divergence (Hinton et al. 2015, over the batch
    in place of classes). Where the encoder trains too, its current embeddings are the teacher, without gradient.

    Args:
        teacher_scale: factor on the teacher's cosines before the softmax, > 0.
        student_scale: initial factor on the student's scores, > 0; trained.
    """

    def __init__(self, teacher_scale: float = 20.0, student_scale: float = 20.0) -> None:
        super().__init__()
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
            ValueError: fewer than three texts.
        """
        outputs, embeddings = torch.cat(batch.outputs), torch.cat(batch.embeddings)
        if len(outputs) < 3:  # noqa: PLR2004 - a text needs two others to prefer one
            raise ValueError(f"a batch of {len(outputs)} texts; distillation compares at least 3: raise batch_size")
        student = self.log_student_scale.exp() * head.pairwise_similarity(outputs, outputs)
        with torch.no_grad():
            teacher = self.teacher_scale * pairwise_cosine(embeddings, embeddings)
        # A text says nothing about itself.
        itself = torch.eye(len(outputs), dtype=torch.bool, device=outputs.device)
        log_student = student.masked_fill(itself, -math.inf).log_softmax(dim=1)
        log_teacher = teacher.masked_fill(itself, -math.inf).log_softmax(dim=1)
        divergence = log_teacher.exp() * (log_teacher - log_student)
        return divergence.masked_fill(itself, 0).sum(dim=1).mean()
