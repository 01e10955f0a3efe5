"""What a head is trained for: the same code for quantum and classical heads, given their similarity."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from hybrid_qproj.head import Head
from hybrid_qproj.similarity import pairwise_cosine


class SimilarityDistillation(nn.Module):
    """Teach a head the neighbourhoods of the uncompressed embeddings; no labels.

    For each text of a batch, the teacher's cosines to the others become a distribution by a softmax at a fixed
    temperature, the student's scores one at a learnt temperature; the loss is the mean cross-entropy between
    them minus the teacher's entropy, i.e. the Kullback-Leibler divergence (Hinton et al. 2015, over the batch
    in place of classes).

    Args:
        teacher_scale: factor on the teacher's cosines before the softmax, > 0.
        student_scale: initial factor on the student's scores, > 0; trained.
    """

    def __init__(self, teacher_scale: float = 20.0, student_scale: float = 20.0) -> None:
        super().__init__()
        self.teacher_scale = teacher_scale
        self.log_student_scale = nn.Parameter(torch.tensor(math.log(student_scale)))

    def forward(self, head: Head, embeddings: Tensor) -> Tensor:
        """The loss of a head on a batch.

        Args:
            head: the student.
            embeddings: uncompressed embeddings, (n, d), n >= 3.

        Returns:
            divergence in nats, a scalar >= 0.
        """
        outputs = head(embeddings)
        student = self.log_student_scale.exp() * head.pairwise_similarity(outputs, outputs)
        with torch.no_grad():
            teacher = self.teacher_scale * pairwise_cosine(embeddings, embeddings)
        # A text says nothing about itself.
        itself = torch.eye(len(embeddings), dtype=torch.bool, device=embeddings.device)
        log_student = student.masked_fill(itself, -math.inf).log_softmax(dim=1)
        log_teacher = teacher.masked_fill(itself, -math.inf).log_softmax(dim=1)
        divergence = log_teacher.exp() * (log_teacher - log_student)
        return divergence.masked_fill(itself, 0).sum(dim=1).mean()
