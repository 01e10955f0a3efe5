"""The demo's experiments: demo.toml and codes.toml, with the options of the command in them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from hybrid_qproj.experiments.config import ExperimentConfig, parse_config
from hybrid_qproj.experiments.toml import read_toml

FILE, CODES_FILE = "demo.toml", "codes.toml"
FULL = "full embedding"
"""Head of the experiment that compresses nothing."""
QUANTUM = "quantum u_cu tree"
"""Head of the experiment that the report speaks of, and whose model is kept."""


def demo_table(sizes: Sequence[int], seeds: int) -> dict[str, Any]:
    """What stands in demo.toml, with other sizes and seeds.

    Args:
        sizes: the k to compress to.
        seeds: seeds 0, 1, ... of everything random.

    Returns:
        the tables, as `hybrid_qproj.experiments.toml.read_toml` gives them.
    """
    return {**_read(FILE), "sizes": list(sizes), "seeds": seeds}


def codes_table(seeds: int) -> dict[str, Any]:
    """What stands in codes.toml, whose sizes are bytes of a document, with other seeds; see `demo_table`."""
    return {**_read(CODES_FILE), "seeds": seeds}


def _read(name: str) -> dict[str, Any]:
    with as_file(files("hybrid_qproj.demo") / name) as path:
        return read_toml(path)


def demo_config(table: dict[str, Any], folder: Path) -> ExperimentConfig:
    """The experiment.

    Args:
        table: of `demo_table`.
        folder: where its embeddings are kept.

    Returns:
        the experiment.

    Raises:
        ConfigError: sizes or seeds are none.
    """
    return parse_config(table, "the demo with these options", folder)
