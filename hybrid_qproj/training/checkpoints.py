"""Checkpoints of a training run: what of a model is written, which ones are whole, and reading them back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import NamedTuple

import safetensors
import safetensors.torch

from hybrid_qproj._util.files import read_bounded, write_atomically
from hybrid_qproj.checkpoint import CheckpointError, load_state
from hybrid_qproj.embeddings.table import EmbeddingTable
from hybrid_qproj.loading import load
from hybrid_qproj.sbert import Encoder
from hybrid_qproj.training.loss import HeadLoss

HEAD_FOLDER = "head"
OBJECTIVE = "objective.safetensors"
STATE = "trainer_state.json"
_NAME = re.compile(r"checkpoint-\d+")


def save_model(model: Encoder, folder: Path) -> None:
    """Write a model: the whole encoder, or the head alone where a table of embeddings stands for the encoder.

    Args:
        model: the model.
        folder: made if missing.
    """
    if isinstance(model[0], EmbeddingTable):
        model.head.save(folder / HEAD_FOLDER)
    else:
        model.save_pretrained(str(folder), create_model_card=False)


def load_weights(model: Encoder, folder: Path) -> None:
    """Fill a model with the weights that `save_model` wrote.

    Args:
        model: filled in place.
        folder: the folder.

    Raises:
        CheckpointError: missing, damaged, or of another model.
    """
    if isinstance(model[0], EmbeddingTable):
        load_state(model.head, folder / HEAD_FOLDER)
        return
    try:
        # The model's own ansatz: it came from the experiment.
        own = getattr(model.head, "circuit", "")
        model.load_state_dict(load(folder, device="cpu", ansaetze=(own,) if ":" in own else ()).state_dict())
    except (OSError, RuntimeError, safetensors.SafetensorError) as error:
        text = " ".join(str(error).split())
        raise CheckpointError(f"{folder} holds no weights of this model ({text}); delete it or train again") from error


def save_losses(losses: Mapping[str, HeadLoss], folder: Path) -> None:
    """Write what objectives have learnt, such as their temperature.

    Args:
        losses: by the name of what they are trained on.
        folder: of the checkpoint.
    """
    state = {
        f"{name}.{key}": v.contiguous().cpu() for name, loss in losses.items() for key, v in loss.own_state().items()
    }
    write_atomically(folder / OBJECTIVE, safetensors.torch.save(state))


def load_losses(losses: Mapping[str, HeadLoss], folder: Path) -> None:
    """Fill losses with what `save_losses` wrote.

    Raises:
        CheckpointError: missing, damaged, or of other objectives.
    """
    try:
        state = safetensors.torch.load_file(folder / OBJECTIVE)
        for key, tensor in state.items():
            # An objective whose turn had not come has no first loss.
            if not key.endswith((".first", ".last")) and not tensor.isfinite().all():
                raise CheckpointError(f"{folder / OBJECTIVE}: {key!r} is not finite; delete {folder.name}")
        for name, loss in losses.items():
            prefix = f"{name}."
            loss.load_own_state({key.removeprefix(prefix): v for key, v in state.items() if key.startswith(prefix)})
    except (OSError, RuntimeError, safetensors.SafetensorError) as error:
        text = " ".join(str(error).split())
        raise CheckpointError(
            f"{folder / OBJECTIVE} cannot be read ({text}); delete {folder.name} to go on from the one before it"
        ) from error


def last_checkpoint(folder: Path) -> Path | None:
    """The latest whole checkpoint of a run.

    Args:
        folder: the run's folder.

    Returns:
        its folder, or None. One whose writing was interrupted lacks its last file and does not count.
    """
    found = sorted(folder.glob("checkpoint-*"), key=_step, reverse=True)
    return next((checkpoint for checkpoint in found if _whole(checkpoint)), None)


def resume_point(folder: Path) -> Path | None:
    """The checkpoint to go on from.

    Args:
        folder: the run's folder.

    Returns:
        the last whole checkpoint, or None for a new run and for one that was interrupted while it wrote its first.

    Raises:
        CheckpointError: there are several checkpoints, but none is whole.
    """
    checkpoint = last_checkpoint(folder)
    # They are written one by one: an interruption leaves one torn, damage more.
    if checkpoint is None and len(list(folder.glob("checkpoint-*"))) > 1:
        raise CheckpointError(f"no checkpoint in {folder} is whole; delete its checkpoint-* folders to start again")
    return checkpoint


def finished_with(checkpoint: Path) -> Path | None:
    """The checkpoint with a finished run's weights.

    Args:
        checkpoint: the run's last one.

    Returns:
        the best epoch's checkpoint, the last one if none was chosen, or None if the run is not finished.

    Raises:
        CheckpointError: the trainer's state is damaged.
    """
    progress = _progress(checkpoint)
    if progress is None:
        raise CheckpointError(
            f"{checkpoint / STATE} is damaged; delete {checkpoint.name} to go on from the one before it"
        )
    if progress.step < progress.steps:
        return None
    return checkpoint.parent / progress.best if progress.best else checkpoint


def _step(checkpoint: Path) -> int:
    number = checkpoint.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else -1


class _Progress(NamedTuple):
    """How far a run was: steps done, steps in all, and the name of its best checkpoint."""

    step: int
    steps: int
    best: str | None


def _progress(checkpoint: Path) -> _Progress | None:
    """What the trainer wrote after everything else; None where it did not come to that, or is damaged."""
    try:
        # The trainer's log may hold NaN, so this is not quite JSON.
        state = json.loads(read_bounded(checkpoint / STATE))
        # By name: the run's folder may have moved.
        best = state.get("best_model_checkpoint")
        found = _Progress(state["global_step"], state["max_steps"], PurePath(best).name if best else None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    sound = type(found.step) is int and type(found.steps) is int and (not found.best or _NAME.fullmatch(found.best))
    return found if sound else None


def _whole(checkpoint: Path) -> bool:
    return _progress(checkpoint) is not None
