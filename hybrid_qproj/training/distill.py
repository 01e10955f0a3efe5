"""Train a head on embeddings that were computed once, without labels."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from hybrid_qproj.heads.base import Head
from hybrid_qproj.heads.linear import trainable_parameters
from hybrid_qproj.training.anchor import Anchor
from hybrid_qproj.training.distillation import BestDistillation, SimilarityDistillation
from hybrid_qproj.training.objectives import Batch

CHECK = 10
"""Steps between two looks at the texts that are held out."""
LEAST = 3
"""A text needs two others to prefer one."""


@dataclass(frozen=True)
class DistillationSettings:
    """How a head is distilled.

    Args:
        steps: optimiser steps, at least 1.
        batch_size: texts a step, at least 3; all of them if there are fewer.
        learning_rate: of the head, decayed to 0 along a half cosine.
        scale_learning_rate: of the student's temperature.
        teacher_scale: see `SimilarityDistillation`.
        student_scale: see `SimilarityDistillation`.
        anchor: weight of the head's squared distance from its start, see `hybrid_qproj.training.anchor.Anchor`.
        held_out: texts that are not trained on; the head keeps the weights of the step, one in ten, with the least loss
            on them, the start being one of these. 0 keeps the last weights.
    """

    steps: int = 150
    batch_size: int = 100
    learning_rate: float = 2e-2
    scale_learning_rate: float = 5e-2
    teacher_scale: float = 20.0
    student_scale: float = 2.0
    anchor: float = 0.0
    held_out: int = 0


class Trained(NamedTuple):
    """What a training returns beside the head it changed.

    Attributes:
        first_loss: loss of the first step.
        last_loss: loss of the last step.
    """

    first_loss: float
    last_loss: float


def distill(
    head: Head,
    embeddings: Tensor,
    settings: DistillationSettings | None = None,
    seed: int = 0,
    progress: Callable[[int], None] = lambda step: None,
) -> Trained:
    """Train a head to keep the neighbourhoods of its input embeddings.

    Args:
        head: trained in place, and left in eval mode.
        embeddings: uncompressed embeddings, (n, d), n >= 3.
        settings: the defaults when None.
        seed: of the order of the batches.
        progress: called after each step with its number.

    Returns:
        first and last loss.

    Raises:
        ValueError: the head has nothing to train, there are fewer than three embeddings, or the loss became NaN
            (the head then keeps the weights of its last finite step).
    """
    settings = settings or DistillationSettings()
    if not trainable_parameters(head):
        raise ValueError(f"{head.kind} has no trainable parameters; use it as it is")
    generator = torch.Generator().manual_seed(seed)
    embeddings, held_out = _hold_out(embeddings, settings.held_out, generator)
    anchor = Anchor(head).to(embeddings.device)
    # At the best temperature: else the start, whose temperature is not trained yet, would always lose.
    judge = BestDistillation(settings.teacher_scale)

    @torch.no_grad()
    def judged() -> float:
        return judge(head, Batch.of(head, [held_out])).item()

    best, least = None, math.inf
    objective = SimilarityDistillation(settings.teacher_scale, settings.student_scale).to(embeddings.device)
    optimizer = torch.optim.Adam(
        [
            {"params": list(head.parameters()), "lr": settings.learning_rate},
            {"params": list(objective.parameters()), "lr": settings.scale_learning_rate},
        ]
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    losses = []
    head.train()
    for step in range(settings.steps):
        if len(held_out) and step % CHECK == 0:
            now = judged()
            if now < least:
                best, least = copy.deepcopy(head.state_dict()), now
        batch = torch.randperm(len(embeddings), generator=generator)[: settings.batch_size]
        taken = Batch.of(head, [embeddings[batch]])
        loss = objective(head, taken)
        if settings.anchor:
            loss = loss + settings.anchor * anchor(head, taken)
        if not math.isfinite(loss.item()):
            raise ValueError(
                f"the loss became {loss.item()} in step {step} of {settings.steps}; lower the learning rate "
                f"(now {settings.learning_rate})"
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        progress(step)
    if best is not None and judged() > least:
        head.load_state_dict(best)
    head.eval()
    return Trained(losses[0], losses[-1])


def _hold_out(embeddings: Tensor, number: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Embeddings to train on, and those that are held out."""
    if len(embeddings) - number < LEAST or 0 < number < LEAST:
        raise ValueError(
            f"got {len(embeddings)} embeddings, held_out={number}; distillation compares at least {LEAST}, and holds "
            f"out none or at least {LEAST}"
        )
    if not number:
        return embeddings, embeddings[:0]
    order = torch.randperm(len(embeddings), generator=generator)
    return embeddings[order[number:]], embeddings[order[:number]]
