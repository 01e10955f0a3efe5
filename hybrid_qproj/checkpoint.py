"""A module in a folder: its config as JSON, its weights as safetensors; no half-written file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import safetensors
import safetensors.torch
from torch import nn

from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.errors import HybridQprojError

CONFIG = "config.json"
WEIGHTS = "model.safetensors"


class CheckpointError(HybridQprojError, ValueError):
    """A folder that holds no saved model, or a damaged one."""


class Configurable(Protocol):
    """A module that is rebuilt from a table of plain values."""

    def config(self) -> dict[str, Any]:
        """Constructor keywords as plain values."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """A new module from `config`."""


M = TypeVar("M", bound=Configurable)


def save_module(module: Configurable, folder: str | Path) -> None:
    """Save a module.

    Args:
        module: a torch module with a ``config``.
        folder: made if missing.
    """
    assert isinstance(module, nn.Module)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = {"class": type(module).__name__, **module.config()}
    state = {name: tensor.contiguous().cpu() for name, tensor in module.state_dict().items()}
    # The config goes last: a folder without it is known to be unfinished.
    write_atomically(folder / WEIGHTS, safetensors.torch.save(state))
    write_atomically(folder / CONFIG, json.dumps(config, indent=2).encode())


def read_config(folder: str | Path) -> dict[str, Any]:
    """Read a saved module's config.

    Args:
        folder: the folder.

    Returns:
        the config, with the name of the class under ``"class"``.

    Raises:
        CheckpointError: there is none, or it is no JSON table.
    """
    path = Path(folder) / CONFIG
    if not path.is_file():
        raise CheckpointError(f"{str(folder)!r} holds no saved head: {CONFIG} is missing")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} is no JSON: {error}") from error
    if not isinstance(config, dict) or "class" not in config:
        raise CheckpointError(f"{path} does not describe a head: expected a table with the key 'class'")
    return config


def load_state(module: nn.Module, folder: str | Path) -> None:
    """Fill a module with the weights saved in a folder.

    Args:
        module: filled in place.
        folder: the folder.

    Raises:
        CheckpointError: the file is missing, damaged, or of another head.
    """
    path = Path(folder) / WEIGHTS
    if not path.is_file():
        raise CheckpointError(f"{str(folder)!r} holds no weights: {WEIGHTS} is missing")
    try:
        module.load_state_dict(safetensors.torch.load_file(path))
    except safetensors.SafetensorError as error:
        raise CheckpointError(
            f"{path} is damaged ({error}); it was cut off or changed: copy or train it again"
        ) from error
    except RuntimeError as error:
        raise CheckpointError(f"{path} does not fit the head described in {CONFIG}: {error}") from error


def load_module(cls: type[M], folder: str | Path) -> M:
    """Rebuild a module that `save_module` wrote.

    Args:
        cls: class expected in the folder.
        folder: the folder.

    Returns:
        the module, in eval mode.

    Raises:
        CheckpointError: the folder holds no such module, or a damaged one.
    """
    config = read_config(folder)
    found = config.pop("class")
    if found != cls.__name__:
        raise CheckpointError(f"{str(folder)!r} holds a {found}; expected a {cls.__name__}")
    try:
        module = cls.from_config(config)
    except (TypeError, KeyError) as error:
        raise CheckpointError(f"{Path(folder) / CONFIG} does not describe a {found}: {error}") from error
    assert isinstance(module, nn.Module)
    load_state(module, folder)
    return module.eval()
