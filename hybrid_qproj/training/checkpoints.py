"""Checkpoints of a training run: what of a model is written, which ones are whole, and reading them back."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from transformers import TrainerState

from hybrid_qproj._util.files import SUFFIX, read_bounded, write_atomically
from hybrid_qproj._util.folders import check_files, describe_files, read_record
from hybrid_qproj.errors import on_one_line
from hybrid_qproj.heads.checkpoint import CheckpointError, load_state
from hybrid_qproj.loading import load
from hybrid_qproj.sbert import Encoder
from hybrid_qproj.text.embeddings.table import EmbeddingTable
from hybrid_qproj.training.head_loss import HeadLoss

HEAD_FOLDER = "head"
OBJECTIVE = "objective.safetensors"
STATE = "trainer_state.json"
FILES = "files.json"
"""Digests of the others, written last."""
FORM = "hybrid-qproj checkpoint 1"


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
        text = on_one_line(error)
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
        text = on_one_line(error)
        raise CheckpointError(
            f"{folder / OBJECTIVE} cannot be read ({text}); delete {folder.name} to go on from the one before it"
        ) from error


def bind(checkpoint: Path, processes: int = 1) -> None:
    """Note the digests of a checkpoint's files, when all are there.

    Args:
        checkpoint: its folder.
        processes: of the run; with several, each writes its own random state when it likes.

    Raises:
        OutputError: the note could not be written.
    """
    files = describe_files(
        checkpoint, lambda name: name == FILES or SUFFIX in name or (processes > 1 and name.startswith("rng_state"))
    )
    write_atomically(checkpoint / FILES, json.dumps({"format": FORM, "files": files}).encode())


def check(checkpoint: Path) -> None:
    """Make sure that a checkpoint's files are those that were written together.

    Args:
        checkpoint: its folder; one of an earlier version, and one whose run ended just then, has no note of them.

    Raises:
        CheckpointError: a file is missing, damaged or another.
    """
    advice = f"delete {checkpoint.name} to go on from the one before it"
    try:
        files = (read_record(checkpoint / FILES, FORM) or {}).get("files", {})
        if not isinstance(files, dict):
            raise ValueError("its files are no table")
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{checkpoint / FILES} cannot be read ({error}); {advice}") from error
    for name, digest in files.items():
        try:
            check_files(checkpoint, {name: digest})
        except (ValueError, OSError) as error:
            raise CheckpointError(f"{checkpoint / name} cannot be read ({error}); {advice}") from error
    _state(checkpoint)


def _state(checkpoint: Path) -> dict[str, Any]:
    """What the trainer noted when it wrote a checkpoint: every value that is used is what it should be."""
    try:
        # As the trainer writes it: a loss may be NaN.
        state = json.loads(read_bounded(checkpoint / STATE))
        steps = [state["global_step"], state["max_steps"]]
        best = state.get("best_model_checkpoint")
        if not all(type(step) is int and step >= 0 for step in steps):
            raise ValueError("its steps are no numbers")
        if best is not None and re.fullmatch(r"checkpoint-\d+", Path(best).name) is None:
            raise ValueError("its best checkpoint is none")
        if unknown := set(state) - {field.name for field in dataclasses.fields(TrainerState)}:
            raise ValueError(f"it has {sorted(unknown)[0]!r} besides")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{checkpoint / STATE} is damaged ({error}); delete {checkpoint.name} to go on from the one before it"
        ) from error
    return dict(state)


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
        CheckpointError: there are several checkpoints, but none is whole; or the last one was damaged.
    """
    for leftover in folder.glob(f"checkpoint-*/**/.*{SUFFIX}*"):
        # A folder of checkpoints has one run at a time: whoever wrote it is gone.
        if leftover.is_file():
            leftover.unlink(missing_ok=True)
    checkpoint = last_checkpoint(folder)
    # They are written one by one: an interruption leaves one torn, damage more.
    if checkpoint is None and len(list(folder.glob("checkpoint-*"))) > 1:
        raise CheckpointError(f"no checkpoint in {folder} is whole; delete its checkpoint-* folders to start again")
    if checkpoint is not None:
        check(checkpoint)
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
    state = _state(checkpoint)
    if state["global_step"] < state["max_steps"]:
        return None
    # By name: the run's folder may have moved.
    best = state.get("best_model_checkpoint")
    chosen = checkpoint.parent / Path(best).name if best else checkpoint
    if chosen != checkpoint:
        check(chosen)
    return chosen


def _step(checkpoint: Path) -> int:
    number = checkpoint.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else -1


def _whole(checkpoint: Path) -> bool:
    # The trainer writes its state after everything else.
    try:
        json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return True
