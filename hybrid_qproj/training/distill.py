"""The light loop: a head learns from embeddings that were computed once, without labels, datasets or checkpoints.

`hybrid_qproj.training.run.train` is the one for texts, labels and encoders. Objectives, settings, what is held out and
what comes back are the same for both.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor

from hybrid_qproj.errors import HybridQprojError
from hybrid_qproj.heads.base import Head
from hybrid_qproj.heads.linear import trainable_parameters
from hybrid_qproj.training.objectives import BestDistillation, Objective, SimilarityDistillation, anchored
from hybrid_qproj.training.objectives.base import Batch
from hybrid_qproj.training.objectives.similarity import check_held_out
from hybrid_qproj.training.settings import MOST_JUDGED, DistillationSettings, Losses, UntrainableError


class DivergedError(HybridQprojError, ValueError):
    """A loss that is no number any more."""


def distill(
    head: Head,
    embeddings: Tensor,
    settings: DistillationSettings | None = None,
    seed: int = 0,
    progress: Callable[[int], None] = lambda step: None,
) -> Losses:
    """Train a head to keep the neighbourhoods of its input embeddings.

    Args:
        head: trained in place, and left in eval mode.
        embeddings: uncompressed embeddings, (n, d), n >= 3.
        settings: the defaults when None.
        seed: of the order of the batches.
        progress: called after each step with its number.

    Returns:
        the loss before and after, on the same embeddings: the first 512 that were trained on.

    Raises:
        UntrainableError: the head has nothing to train.
        ObjectiveError: there are fewer than three embeddings, or too few to hold some out.
        DivergedError: the loss became NaN; the head keeps the weights of its last finite step.
    """
    settings = settings or DistillationSettings()
    if not trainable_parameters(head):
        raise UntrainableError(f"{head.kind} has no trainable parameters; use it as it is")
    check_held_out(len(embeddings), settings.held_out)
    generator = torch.Generator().manual_seed(seed)
    embeddings, held_out = _hold_out(embeddings, settings.held_out, generator)
    student = SimilarityDistillation(settings.teacher_scale, settings.student_scale)
    objective = anchored(student, head, settings.anchor).to(embeddings.device)
    first = _loss(objective, head, embeddings[:MOST_JUDGED])
    # At the best temperature: else the start, whose temperature is not trained yet, would always lose.
    judge = BestDistillation(settings.teacher_scale)
    best, least = None, math.inf
    optimizer = torch.optim.Adam(
        [
            {"params": list(head.parameters()), "lr": settings.learning_rate},
            {"params": list(objective.parameters()), "lr": settings.scale_learning_rate},
        ]
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    head.train()
    for step in range(settings.steps):
        if len(held_out) and step % settings.evaluation_steps == 0:
            now = _loss(judge, head, held_out)
            if now < least:
                best, least = copy.deepcopy(head.state_dict()), now
        batch = torch.randperm(len(embeddings), generator=generator)[: settings.batch_size]
        loss = objective(head, Batch.of(head, [embeddings[batch]]))
        if not math.isfinite(loss.item()):
            raise DivergedError(
                f"the loss became {loss.item()} in step {step} of {settings.steps}; lower the learning rate "
                f"(now {settings.learning_rate})"
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        progress(step)
    if best is not None and _loss(judge, head, held_out) > least:
        head.load_state_dict(best)
    head.eval()
    return Losses(first, _loss(objective, head, embeddings[:MOST_JUDGED]))


@torch.no_grad()
def _loss(objective: Objective, head: Head, embeddings: Tensor) -> float:
    return objective(head, Batch.of(head, [embeddings])).item()


def _hold_out(embeddings: Tensor, number: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Embeddings to train on, and those that are held out."""
    if not number:
        return embeddings, embeddings[:0]
    order = torch.randperm(len(embeddings), generator=generator)
    return embeddings[order[number:]], embeddings[order[:number]]
