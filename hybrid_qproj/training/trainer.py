"""Training by sentence-transformers' trainer, resumable to the same weights as an uninterrupted run."""

from __future__ import annotations

import errno
import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from hybrid_qproj._util.extras import require
from hybrid_qproj._util.files import OutputError, system_error
from hybrid_qproj._util.validation import NotFiniteError
from hybrid_qproj.errors import ExpectedError, on_one_line
from hybrid_qproj.heads.checkpoint import CheckpointError
from hybrid_qproj.sbert import Encoder
from hybrid_qproj.training import checkpoints
from hybrid_qproj.training.columns import Columns
from hybrid_qproj.training.epochs import write_epochs
from hybrid_qproj.training.head_loss import HeadLoss
from hybrid_qproj.training.settings import TrainingSettings

require("datasets", "train", "training")
require("accelerate", "train", "training")

from sentence_transformers import (  # noqa: E402 - after the checks above
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.base.evaluation import BaseEvaluator  # noqa: E402
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments  # noqa: E402

if TYPE_CHECKING:
    from hybrid_qproj.training.watch import EpochWatch

LEAST_FREE = 1 << 20
"""Bytes: with less, a disk is full."""


class TrainingError(ExpectedError):
    """A run that cannot go on; its last checkpoint is whole."""


class HeadTrainer(SentenceTransformerTrainer):
    """A SentenceTransformerTrainer that also keeps the objective's parameters, and stops at the first bad loss.

    Its checkpoints hold the head alone where the encoder is a table of embeddings.

    Args:
        encoder: the model.
        losses: by the name of the data they are trained on.
        folder: of checkpoints and logs.
        watch: whose measurements go into the checkpoints; also one of the callbacks.
        **kwargs: the parent's arguments but for ``model`` and ``loss``.
    """

    def __init__(
        self,
        encoder: Encoder,
        losses: Mapping[str, HeadLoss],
        folder: Path,
        watch: EpochWatch | None = None,
        **kwargs: Any,
    ) -> None:
        # The parent keeps them too, under types that know less.
        self.encoder = encoder
        self.losses = losses
        self.folder = folder
        self.watch = watch
        modules: dict[str, nn.Module] = {**losses}
        super().__init__(model=encoder, loss=modules, **kwargs)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Tensor | Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor | tuple[Tensor, dict[str, Any]]:
        """The loss of a batch.

        Raises:
            TrainingError: it is NaN or infinite; the weights are those of the step before.
        """
        try:
            result = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        except NotFiniteError as error:
            raise TrainingError(self._not_finite(math.nan, f" ({error})")) from error
        loss = result[0] if isinstance(result, tuple) else result
        if not math.isfinite(loss.item()):
            raise TrainingError(self._not_finite(loss.item()))
        return result

    def _not_finite(self, loss: float, why: str = "") -> str:
        return (
            f"the loss became {loss} in step {self.state.global_step + 1} of {self.state.max_steps}: lower "
            f"learning_rate (now {self.args.learning_rate}) or look for NaN among the embeddings{why}. "
            f"The last checkpoint in {self.folder} is whole"
        )

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Leave the model card out: it would embed texts of the training data in every checkpoint."""

    def training_step(
        self, model: nn.Module, inputs: dict[str, Tensor | Any], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """One forward and backward pass."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        if self.accelerator.num_processes > 1:
            # The objective stands outside the distributed model: its gradients are averaged here. A gradient that was
            # averaged in an earlier pass of the same step is its own average.
            for part in self.losses.values():
                for parameter in part.objective.parameters():
                    if parameter.grad is not None:
                        parameter.grad = self.accelerator.reduce(parameter.grad, reduction="mean")
        return loss

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir) if output_dir else self.folder
        # Every process of a run comes here, and has the same weights.
        if self.args.should_save:
            folder.mkdir(parents=True, exist_ok=True)
            checkpoints.save_model(self.encoder, folder)
            checkpoints.save_losses(self.losses, folder)
            if self.watch is not None:
                write_epochs(folder, self.watch.epochs)
        # The folder was replaced: what the others write into it must not go into the one before.
        self.accelerator.wait_for_everyone()

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        try:
            super()._save_checkpoint(model, trial)
            if self.args.should_save:
                checkpoints.bind(self.folder / f"checkpoint-{self.state.global_step}", self.args.world_size)
        except Exception as error:
            reason, number = system_error(error)
            if reason is None and not isinstance(error, OutputError):
                raise
            full = number in (errno.ENOSPC, errno.EDQUOT) or _free(self.folder) < LEAST_FREE
            raise TrainingError(
                f"checkpoint {self.state.global_step} could not be written to {self.folder} ({reason or error}; "
                f"{_free(self.folder):,} bytes free). {'Make room and run' if full else 'Run'} the same command again: "
                "it goes on from the checkpoint before"
            ) from error

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        with _readable(checkpoint):
            super()._load_optimizer_and_scheduler(checkpoint)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        with _readable(checkpoint):
            super()._load_rng_state(checkpoint)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        checkpoints.load_weights(self.encoder, Path(resume_from_checkpoint))
        checkpoints.load_losses(self.losses, Path(resume_from_checkpoint))

    def _load_best_model(self) -> None:
        if self.state.best_model_checkpoint:
            # By name: a state that was read back may give any path.
            self._load_from_checkpoint(str(self.folder / Path(self.state.best_model_checkpoint).name))


@contextmanager
def _readable(checkpoint: str | None) -> Iterator[None]:
    """Name the checkpoint whose optimiser or random state cannot be read."""
    try:
        yield
    except Exception as error:
        if checkpoint is None:
            raise
        raise CheckpointError(
            f"{checkpoint} is damaged ({type(error).__name__}: {on_one_line(error)[:200]}); "
            f"delete {Path(checkpoint).name} to go on from the one before it"
        ) from error


def _free(folder: Path) -> int:
    """Bytes that are free where a folder is; 0 where it is gone."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


class CheckpointEvery(TrainerCallback):
    """Asks for a checkpoint every so many steps, beside the one at the end of each epoch.

    Args:
        steps: the interval.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Called by the trainer after each optimiser step."""
        if state.global_step % self.steps == 0:
            control.should_save = True
        return control


def training_arguments(
    settings: TrainingSettings,
    folder: Path,
    seed: int,
    best: BaseEvaluator | None = None,
    keep: bool = True,
    in_batch: bool = False,
    columns: Columns | None = None,
    encoder_trains: bool = True,
) -> SentenceTransformerTrainingArguments:
    """The trainer's arguments.

    Args:
        settings: how to train.
        folder: of checkpoints and logs.
        seed: of the order of the data and of dropout.
        best: whose primary measure chooses the step that is kept; None to keep the last weights.
        keep: whether checkpoints and TensorBoard logs are written; without, a run cannot be resumed.
        in_batch: keep duplicates out of a batch, where they would count as each other's negatives.
        columns: how the columns of each dataset are encoded; None for all alike, without prompts.
        encoder_trains: whether the encoder has parameters that train, which may have a learning rate of their own.

    Returns:
        the arguments.
    """
    when = "no" if best is None else "epoch" if settings.evaluation_steps is None else "steps"
    mapping = {}
    # The trainer refuses a rate of parameters that there are not.
    if encoder_trains and settings.encoder_rate != settings.head_rate:
        # Names as the losses have them: data, the model (perhaps wrapped), its first module.
        mapping[r"^\w+\.model\.(module\.)?0\."] = settings.encoder_rate
    return SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        num_train_epochs=settings.epochs,
        max_steps=settings.steps or -1,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulation,
        learning_rate=settings.head_rate,
        learning_rate_mapping=mapping,
        lr_scheduler_type=settings.schedule,
        warmup_steps=settings.warmup,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_gradient_norm,
        bf16=settings.precision == "bf16",
        fp16=settings.precision == "fp16",
        batch_sampler="no_duplicates" if in_batch else "batch_sampler",
        multi_dataset_batch_sampler="round_robin",
        eval_strategy=when,
        eval_steps=settings.evaluation_steps,
        # The best step must have been saved.
        save_strategy="no" if not keep else "steps" if when == "steps" else "epoch",
        save_steps=settings.evaluation_steps or 500,
        save_total_limit=settings.keep_checkpoints,
        load_best_model_at_end=best is not None and keep,
        metric_for_best_model=f"eval_{best.primary_metric}" if best else None,
        greater_is_better=best.greater_is_better if best else None,
        report_to=["tensorboard"] if keep else [],
        logging_strategy="steps" if keep else "no",
        logging_steps=10,
        disable_tqdm=not keep,
        seed=seed,
        data_seed=seed,
        prompts=columns.prompts if columns else None,
        router_mapping=columns.sides if columns else {},
        # The model is on its device already; the trainer must not move it to another.
        use_cpu=not torch.cuda.is_available(),
        # Frozen parameters of an encoder are not unused ones, but a head may leave BERT's pooler aside.
        ddp_find_unused_parameters=False,
        remove_unused_columns=False,
    )
