"""What was measured after each epoch of a run: in words, in a checkpoint, and read back from there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from hybrid_qproj._util.files import read_bounded, write_atomically
from hybrid_qproj._util.strict_json import parse_json
from hybrid_qproj.heads.checkpoint import CheckpointError

FILE = "epochs.json"
"""In a checkpoint: the epochs before it."""
MOST_BYTES = 1 << 30
"""Of that: measures of every query."""


@dataclass(frozen=True)
class Epoch:
    """What was measured after an epoch.

    Args:
        epoch: passes over the training data until then; no whole number where the steps ended within one.
        validation: mean loss on labelled examples that are not trained on; None where there are none.
        measures: test -> measure -> query -> value.
    """

    epoch: float
    validation: float | None
    measures: dict[str, dict[str, dict[str, float]]]


_EPOCHS = TypeAdapter(list[Epoch])


def in_words(epoch: Epoch) -> str:
    """What was measured after an epoch, as a line for people.

    Args:
        epoch: the epoch.

    Returns:
        its number, the validation loss, and means over queries.

    Examples:
        >>> in_words(Epoch(2.0, 0.5, {"DL 2019": {"MAP": {"q1": 0.2, "q2": 0.4}}}))
        'epoch 2: validation loss 0.5000; DL 2019 MAP 0.3000'
    """
    parts = [] if epoch.validation is None else [f"validation loss {epoch.validation:.4f}"]
    for test, measures in epoch.measures.items():
        parts += [f"{test} {name} {sum(values.values()) / len(values):.4f}" for name, values in measures.items()]
    return f"epoch {epoch.epoch:g}: {'; '.join(parts)}"


def write_epochs(checkpoint: Path, epochs: Sequence[Epoch]) -> None:
    """Write what was measured until now into a checkpoint.

    Args:
        checkpoint: its folder.
        epochs: in order.

    Raises:
        OutputError: it could not be written.
    """
    write_atomically(checkpoint / FILE, json.dumps([asdict(epoch) for epoch in epochs]).encode())


def read_epochs(checkpoint: Path) -> list[Epoch]:
    """What was measured before a checkpoint was written.

    Args:
        checkpoint: its folder.

    Returns:
        the epochs, in order.

    Raises:
        CheckpointError: the checkpoint does not tell, as one of a run that measured nothing; or its file is damaged.
    """
    try:
        content = read_bounded(checkpoint / FILE, MOST_BYTES)
        # Numbers that are none, keys twice and deep nesting are refused there, all else by its type.
        parse_json(content.decode())
        return _EPOCHS.validate_json(content, strict=True)
    except (OSError, ValueError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise CheckpointError(
            f"{checkpoint / FILE} cannot be read ({reason}); delete {checkpoint.name} to go on from the one before it, "
            f"or {checkpoint.parent} to start again"
        ) from error
