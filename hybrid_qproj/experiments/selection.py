"""The one cell of an experiment that `train` trains, and the folder that is its own."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from hybrid_qproj._util.files import read_json, write_atomically
from hybrid_qproj._util.suggest import suggestion
from hybrid_qproj.experiments.build import build_head, build_objectives, numbers_of, sizes_of
from hybrid_qproj.experiments.cells import digest
from hybrid_qproj.experiments.config import ConfigError, ExperimentConfig
from hybrid_qproj.experiments.records import Cell
from hybrid_qproj.heads.linear import trainable_parameters

RUN = "run.json"


def choose_head(config: ExperimentConfig, head: str | None, objective: str | None, seed: int) -> tuple[str, str]:
    """The head and the objective that are meant, before anything is known of the encoder.

    Args:
        config: the experiment.
        head: its name, or None where there is one.
        objective: its name, likewise.
        seed: of everything random.

    Returns:
        head and objective.

    Raises:
        ConfigError: there is none of this name, several are possible, or the seed is none.
    """
    name = _the_one("head", head, config.heads)
    for_it = config.heads[name].objectives
    if not config.objectives:
        raise ConfigError("the experiment has no [objectives.NAME] to train for")
    if objective in config.objectives and for_it is not None and objective not in for_it:
        raise ConfigError(f"head {name!r} trains for {', '.join(for_it)} only; got --objective {objective}")
    aim = _the_one("objective", objective, for_it or config.objectives)
    if len(config.encoder.layers) != 1:
        raise ConfigError(f"encoder.layers = {list(config.encoder.layers)}: to train one model, give one number")
    if config.objectives[aim].labels is not None and len(config.fractions) != 1:
        raise ConfigError(f"fractions = {list(config.fractions)}: to train one model, give one")
    if not 0 <= seed < 1 << 32:
        raise ConfigError(f"--seed {seed}: expected 0 to {(1 << 32) - 1}")
    return name, aim


def _the_one(what: str, given: str | None, known: Collection[str]) -> str:
    names = ", ".join(known)
    if given is not None:
        if given not in known:
            raise ConfigError(f"no {what} {given!r}{suggestion(given, known, otherwise=';')} there are {names}")
        return given
    if len(known) != 1:
        raise ConfigError(f"say which {what} to train with --{what}: {names}")
    return next(iter(known))


def choose_cell(config: ExperimentConfig, width: int, head: str, size: int | None, objective: str, seed: int) -> Cell:
    """The cell, which can be trained.

    Args:
        config: the experiment.
        width: d.
        head: see `choose_head`.
        size: k, or None where the experiment has one.
        objective: see `choose_head`.
        seed: of everything random.

    Returns:
        the cell.

    Raises:
        ConfigError: several sizes are possible, the head cannot be built, or there is nothing to train.
    """
    sizes = [size] if size is not None else list(sizes_of(config, head, width))
    if len(sizes) != 1:
        raise ConfigError(f"say which size to train with --size: {', '.join(map(str, sizes))}")
    layers = config.encoder.layers[0]
    if config.heads[head].codec is not None:
        raise ConfigError(
            f"head {head!r} has a codec, which a saved model has not; compare trains and evaluates it with its codec"
        )
    model = build_head(config, head, width, numbers_of(config, head, width, sizes[0]), seed)
    build_objectives(config.heads[head], config.objectives[objective])
    if layers == 0 and trainable_parameters(model) == 0:
        raise ConfigError(f"head {head!r} ({model.kind}) has nothing to train; compare evaluates it as it is")
    labelled = config.objectives[objective].labels is not None
    return Cell(head, sizes[0], objective, config.fractions[0] if labelled else None, layers, seed)


def check_claim(out: Path, cell: Cell, config: ExperimentConfig) -> None:
    """Refuse a folder that holds another run.

    Args:
        out: the folder.
        cell: what is to be trained there.
        config: the experiment.

    Raises:
        ConfigError: it does, or its note cannot be read.
    """
    note = out / RUN
    if not note.exists():
        return
    try:
        known = read_json(note)
    except (ValueError, OSError) as error:
        raise ConfigError(f"{error}; choose another --out, or delete {out}") from error
    if known != _claim(cell, config):
        raise ConfigError(f"{out} holds a run of another head or configuration; choose another --out or delete it")


def claim(out: Path, cell: Cell, config: ExperimentConfig) -> None:
    """Note what a folder is for.

    Args:
        out: the folder.
        cell: what is trained there.
        config: the experiment.

    Raises:
        OutputError: it cannot be written.
    """
    if not (out / RUN).exists():
        write_atomically(out / RUN, json.dumps(_claim(cell, config)).encode())


def _claim(cell: Cell, config: ExperimentConfig) -> dict[str, object]:
    layers = list(cell.layers) if isinstance(cell.layers, tuple) else cell.layers
    return {"cell": {**cell._asdict(), "layers": layers}, "digest": digest(cell, config)}
