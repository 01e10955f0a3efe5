"""How a head, or an encoder with its head, is trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class TrainingSettings(BaseModel):
    """Settings of a training run; the defaults are those of arXiv:2501.04591.

    Attributes:
        epochs: passes over the training data; ignored where ``steps`` is given.
        steps: optimiser steps in place of epochs.
        batch_size: examples a process and forward pass.
        accumulation: forward passes an optimiser step.
        learning_rate: of Adam, after warm-up.
        encoder_learning_rate: of the encoder's trained layers; the same as the head's when None.
        schedule: how the learning rate falls: a scheduler of transformers.
        warmup: share of the steps in which the learning rate rises from 0.
        weight_decay: of AdamW; 0 is Adam.
        max_gradient_norm: gradients are scaled down to this norm; 0 never does.
        precision: float32, or mixed with bfloat16 or float16. Heads compute in float32 all the same.
        anchor: weight of the head's squared distance from its start in the loss; see
            `hybrid_qproj.training.anchor.Anchor`. 0 lets it go.
        held_out: texts without labels that are not trained on; their loss chooses the best step. 0 keeps the last one.
        evaluation_steps: how often the best step is looked for; at the end of each epoch when None.
        checkpoint_steps: a checkpoint every so many steps, beside the one each epoch ends with.
        keep_checkpoints: how many of the latest checkpoints stay; the best one stays too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: Positive = 5
    steps: Count | None = None
    batch_size: Count = 64
    accumulation: Count = 1
    learning_rate: Positive = 4e-5
    encoder_learning_rate: Positive | None = None
    schedule: Literal["constant", "linear", "cosine", "constant_with_warmup"] = "constant"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_gradient_norm: Annotated[float, Field(ge=0)] = 1.0
    precision: Literal["float32", "bf16", "fp16"] = "float32"
    anchor: Annotated[float, Field(ge=0)] = 0.0
    held_out: Annotated[int, Field(ge=0)] = 0
    evaluation_steps: Count | None = None
    checkpoint_steps: Count | None = None
    keep_checkpoints: Count = 2

    @model_validator(mode="after")
    def _warmup_has_a_schedule(self) -> TrainingSettings:
        if self.warmup and self.schedule == "constant":
            raise ValueError("warmup with schedule = 'constant' would do nothing; use 'constant_with_warmup'")
        return self
