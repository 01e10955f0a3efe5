"""How a head, or an encoder with its head, is trained, and what a run says when it is done."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hybrid_qproj.errors import HybridQprojError

HEAD_RATE = 1e-2
"""Learning rate of a head, unless one is given: what works for heads of every kind; see the documentation."""
ENCODER_RATE = 4e-5
"""Learning rate of an encoder's layers, unless one is given: that of arXiv:2501.04591."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=100_000_000)]
BatchSize = Annotated[int, Field(ge=1, le=1_000_000)]


MOST_JUDGED = 512
"""Training examples, the first ones of each dataset, on which the loss before and after is taken."""


class UntrainableError(HybridQprojError, ValueError):
    """A head with nothing to train, or data that nothing can be learnt from as the settings say."""


class Losses(NamedTuple):
    """How a run went: the loss on the same examples before and after; with several objectives, the sum of their losses.

    Attributes:
        first: of the model as it was given.
        last: of the trained model.
    """

    first: float
    last: float


class LoopSettings(BaseModel):
    """Settings that every loop of training has.

    Attributes:
        steps: optimiser steps.
        batch_size: examples of a step.
        learning_rate: of the head.
        anchor: weight of the head's squared distance from its start in the loss; see
            `hybrid_qproj.training.objectives.anchor.Anchor`. 0 lets it go.
        held_out: texts without labels that are not trained on; their loss chooses the best step. 0 keeps the last one.
        evaluation_steps: how often the best step is looked for.
    """

    # Strict: a truth value is no number, and "4" is none either.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    steps: Count | None = None
    batch_size: BatchSize = 64
    learning_rate: Positive | None = None
    anchor: Weight = 0.0
    held_out: Annotated[int, Field(ge=0, le=100_000_000)] = 0
    evaluation_steps: Count | None = None


class DistillationSettings(LoopSettings):
    """Settings of `hybrid_qproj.training.distill.distill`.

    Attributes:
        steps: optimiser steps.
        batch_size: texts a step, at least 3; all of them if there are fewer.
        learning_rate: of the head, decayed to 0 along a half cosine.
        evaluation_steps: steps between two looks at the texts that are held out; the start and the end count too.
        scale_learning_rate: of the student's temperature.
        teacher_scale: see `hybrid_qproj.training.objectives.similarity.SimilarityDistillation`.
        student_scale: see there.
    """

    steps: Count = 150
    batch_size: BatchSize = 100
    learning_rate: Positive = 2e-2
    evaluation_steps: Count = 10
    scale_learning_rate: Positive = 5e-2
    teacher_scale: float = 20.0
    student_scale: float = 2.0


class TrainingSettings(LoopSettings):
    """Settings of `hybrid_qproj.training.run.train`.

    The defaults are those of arXiv:2501.04591, but for the learning rate of heads and the bound on gradients, of which
    its code has none. Beside those of every loop:

    Attributes:
        epochs: passes over the training data; ignored where ``steps`` is given.
        steps: optimiser steps in place of epochs.
        batch_size: examples a process and forward pass.
        accumulation: forward passes an optimiser step.
        learning_rate: of Adam, after warm-up; `HEAD_RATE` when None.
        encoder_learning_rate: of the encoder's trained layers; when None ``learning_rate``, and `ENCODER_RATE` where
            that is not given either.
        schedule: how the learning rate falls: a scheduler of transformers.
        warmup: share of the steps in which the learning rate rises from 0.
        weight_decay: of AdamW; 0 is Adam.
        max_gradient_norm: gradients are scaled down to this norm; 0 never does.
        precision: float32, or mixed with bfloat16 or float16. Heads compute in float32 all the same.
        evaluation_steps: how often the best step is looked for; at the end of each epoch when None.
        checkpoint_steps: a checkpoint every so many steps, beside the one each epoch ends with.
        keep_checkpoints: how many of the latest checkpoints stay; the best one stays too.
    """

    epochs: Annotated[float, Field(gt=0, le=100_000)] = 5
    accumulation: BatchSize = 1
    encoder_learning_rate: Positive | None = None
    schedule: Literal["constant", "linear", "cosine", "constant_with_warmup"] = "constant"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
    weight_decay: Weight = 0.0
    max_gradient_norm: Weight = 1.0
    precision: Literal["float32", "bf16", "fp16"] = "float32"
    checkpoint_steps: Count | None = None
    keep_checkpoints: Annotated[int, Field(ge=1, le=1000)] = 2

    @model_validator(mode="after")
    def _warmup_has_a_schedule(self) -> TrainingSettings:
        if self.warmup and self.schedule == "constant":
            raise ValueError("warmup with schedule = 'constant' would do nothing; use 'constant_with_warmup'")
        return self

    @property
    def head_rate(self) -> float:
        """The head's learning rate."""
        return HEAD_RATE if self.learning_rate is None else self.learning_rate

    @property
    def encoder_rate(self) -> float:
        """The learning rate of the encoder's trained layers."""
        given = self.learning_rate if self.encoder_learning_rate is None else self.encoder_learning_rate
        return ENCODER_RATE if given is None else given
