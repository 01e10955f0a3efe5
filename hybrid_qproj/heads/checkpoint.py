"""A head in a folder: its config as JSON, its weights as safetensors, bound to each other by digests.

The config is the commit point. New weights are written beside the old ones, then the config that names their digest,
and only then do they take the usual name: whenever a writer dies, the folder holds the old head or the new one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import safetensors.torch
from torch import Tensor, nn

from hybrid_qproj._util.files import read_json, write_atomically, writing
from hybrid_qproj._util.folders import is_file
from hybrid_qproj._util.locks import exclusive
from hybrid_qproj._util.tensors import FLOATING, Form, read_bound_tensors
from hybrid_qproj.errors import HybridQprojError, on_one_line

if TYPE_CHECKING:
    from hybrid_qproj.circuits import Ansatz
    from hybrid_qproj.heads.base import Head

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
BINDING = "integrity"
"""Key of the config that binds the files: the format, and digests of weights and config."""
FORMAT = 2
"""Of the folder. The first had no digests, and is read still."""
MOST_CONFIG = 32 << 20
"""Bytes of a config: a plan of a million blocks."""
TRIES = 5
"""How often a head that is replaced while it is read is read anew."""
MOST_SHOWN = 60
"""Letters of a file's text that an error shows."""
_DIGEST = re.compile(r"[0-9a-f]{64}")

H = TypeVar("H", bound="Head")
T = TypeVar("T")


class CheckpointError(HybridQprojError, ValueError):
    """A folder that holds no saved model, or a damaged one; or a model that cannot be saved."""


class _Saved(NamedTuple):
    """A config as it was read: its table with the class under ``"class"``, and the weights' digest if it has one.

    And when its file was written: a writer may put the same config there again, with another in between.
    """

    config: dict[str, Any]
    weights: str | None
    written: int


def save_module(head: Head, folder: str | Path) -> None:
    """Save a head.

    Args:
        head: any head.
        folder: made if missing; of an older head there, nothing remains.

    Raises:
        CheckpointError: a weight is not finite; what was there before is unchanged.
        OutputError: it could not be written; what was there before is unchanged.
        LockedError: another process is writing there.
    """
    folder = Path(folder)
    state = {name: tensor.detach().contiguous().cpu() for name, tensor in head.state_dict().items()}
    for name, tensor in state.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise CheckpointError(f"{name!r} of the head holds numbers that are not finite; {folder} is unchanged")
    config = {"class": head.kind, **head.config()}
    content = safetensors.torch.save(state)
    digest = hashlib.sha256(content).hexdigest()
    binding = {"format": FORMAT, "weights": digest, "config": _config_digest(config, digest)}
    text = json.dumps({**config, BINDING: binding}, indent=2).encode()
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive(folder / ".saving.lock", str(folder)):
            waiting = _waiting(folder, digest)
            write_atomically(waiting, content)
            write_atomically(folder / CONFIG, text)
            waiting.replace(folder / WEIGHTS)
            # Of writers that died: the lock is ours, so nobody is writing these.
            for leftover in folder.glob(f".*{WEIGHTS}*"):
                leftover.unlink()


def _waiting(folder: Path, digest: str) -> Path:
    """Where weights wait until the config that names them is written."""
    return folder / f".{digest}.{WEIGHTS}"


def _config_digest(config: Mapping[str, Any], weights: str) -> str:
    text = json.dumps([config, weights], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read_config(folder: str | Path) -> dict[str, Any]:
    """Read a saved head's config.

    Args:
        folder: the folder.

    Returns:
        the config, with the name of the class under ``"class"``.

    Raises:
        CheckpointError: there is none, it is no JSON table, or it was changed since.
    """
    return _read(Path(folder)).config


def _read(folder: Path) -> _Saved:
    path = folder / CONFIG
    if not is_file(path):
        raise CheckpointError(f"{str(folder)!r} holds no saved head: {CONFIG} is missing")
    try:
        written = path.stat().st_mtime_ns
        config = read_json(path, MOST_CONFIG)
    except ValueError as error:
        raise CheckpointError(f"{error}; copy or save the head again") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    if not isinstance(config, dict) or not isinstance(config.get("class"), str):
        raise CheckpointError(f"{path} does not describe a head: expected a table with the key 'class'")
    if BINDING not in config:
        return _Saved(config, None, written)
    binding = config.pop(BINDING)
    if not isinstance(binding, dict) or set(binding) != {"format", "weights", "config"}:
        raise CheckpointError(f"{path}: {BINDING!r} is damaged; copy or save the head again")
    if type(binding["format"]) is not int or binding["format"] != FORMAT:
        raise CheckpointError(
            f"{path} is of format {str(binding['format'])[:20]}; this version reads {FORMAT} and those before"
        )
    weights = binding["weights"]
    if not isinstance(weights, str) or not _DIGEST.fullmatch(weights):
        raise CheckpointError(f"{path}: {BINDING}.weights is no digest; copy or save the head again")
    if binding["config"] != _config_digest(config, weights):
        raise CheckpointError(
            f"{path} is not as it was written: it was damaged or edited. Copy the head again, or load it and save it "
            "with what is to be changed"
        )
    return _Saved(config, weights, written)


def load_state(head: Head, folder: str | Path) -> None:
    """Fill a head with the weights saved in a folder.

    Args:
        head: filled in place; unchanged if this fails.
        folder: the folder.

    Raises:
        CheckpointError: a file is missing, damaged, or of another head.
    """
    folder = Path(folder)
    _steady(folder, lambda saved: _fill(head, folder, _state(folder, saved, forms_of(head), head.IMPLIED)))


def load_module(cls: type[H], folder: str | Path, ansaetze: Sequence[str | Ansatz] = ()) -> H:
    """Rebuild a head that `save_module` wrote. Nothing that the files name is imported.

    Args:
        cls: class expected in the folder.
        folder: the folder.
        ansaetze: that the config may name beside the registered ones; see `hybrid_qproj.circuits.find`.

    Returns:
        the head, in eval mode.

    Raises:
        CheckpointError: the folder holds no such head, or a damaged one.
    """
    folder = Path(folder)
    return _steady(folder, lambda saved: _build(cls, folder, saved, ansaetze))


def _steady(folder: Path, read: Callable[[_Saved], T]) -> T:
    """Read what belongs together, anew if a writer replaced it meanwhile."""
    for _ in range(TRIES):
        saved = _read(folder)
        try:
            return read(saved)
        except CheckpointError:
            if _read(folder) == saved:
                raise
    raise CheckpointError(f"{str(folder)!r} is written again and again; load it when that is done")


def _build(cls: type[H], folder: Path, saved: _Saved, ansaetze: Sequence[str | Ansatz]) -> H:
    config = dict(saved.config)
    found = config.pop("class")
    if found != cls.kind:
        raise CheckpointError(f"{str(folder)!r} holds a {found[:MOST_SHOWN]}; expected a {cls.kind}")
    # A subclass of a user need not know the keyword.
    allowed = {"ansaetze": ansaetze} if ansaetze else {}
    try:
        cls.check_config(config)
        forms = cls.expected_tensors(config, **allowed)
        # Before the head is built: a config may ask for more memory than there is.
        state = _state(folder, saved, forms, cls.IMPLIED)
        head = cls.from_config(config, **allowed)
    except CheckpointError:
        raise
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{folder / CONFIG} does not describe a {found}: {error}") from error
    _fill(head, folder, state)
    return head.eval()


def forms_of(module: nn.Module) -> dict[str, Form]:
    """What a file with a module's tensors holds; weights may have been cast to another floating dtype."""
    return {
        name: Form(tuple(tensor.shape), FLOATING if tensor.is_floating_point() else (tensor.dtype,))
        for name, tensor in module.state_dict().items()
    }


def _state(folder: Path, saved: _Saved, forms: Mapping[str, Form], implied: frozenset[str]) -> dict[str, Tensor]:
    path = folder / WEIGHTS
    waiting = [] if saved.weights is None else [_waiting(folder, saved.weights)]
    # Weights that wait are there until their writer gives them the usual name, or if it died before.
    for place in (*waiting, path):
        if not place.is_file():
            continue
        try:
            return read_bound_tensors(place, forms, saved.weights, implied if saved.weights is None else frozenset())
        except FileNotFoundError:
            continue
        except (ValueError, OSError) as error:
            raise CheckpointError(
                f"{error}: it is damaged, or does not fit the head described in {CONFIG}; copy, save or train it again"
            ) from error
    raise CheckpointError(f"{str(folder)!r} holds no weights: {WEIGHTS} is missing")


def _fill(head: Head, folder: Path, state: Mapping[str, Tensor]) -> None:
    own = head.state_dict()
    try:
        # A head of the first format says in its config alone which head it is.
        head.load_state_dict({**{name: own[name] for name in head.IMPLIED}, **state})
    except RuntimeError as error:
        text = on_one_line(error)
        raise CheckpointError(f"{folder / WEIGHTS} does not fit the head described in {CONFIG}: {text}") from error
