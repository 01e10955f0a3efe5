"""The width of an experiment's embeddings, before any is computed or read."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.lib import format as npy

from hybrid_qproj.experiments.config import ConfigError, ExperimentConfig
from hybrid_qproj.experiments.embed import named_embeddings, open_bare_encoder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DOCUMENTS = "docs.npy"
"""Member of an NPZ file with the embeddings of documents, (n, d)."""


def find_width(config: ExperimentConfig) -> tuple[int, SentenceTransformer | None]:
    """The width, and the encoder where it had to be opened for it.

    Args:
        config: the experiment.

    Returns:
        d, and the experiment's encoder; None where embeddings were computed elsewhere and nothing else trains.

    Raises:
        ConfigError: a file of embeddings cannot be read, or two are of different widths.
        ValueError: the encoder cannot be loaded.
    """
    widths = {path: _width_of(path) for path in named_embeddings(config)}
    if len(set(widths.values())) > 1:
        found = ", ".join(f"{path}: {width}" for path, width in widths.items())
        raise ConfigError(f"embeddings of different widths: {found}; expected those of one encoder")
    if widths and set(config.encoder.layers) == {0}:
        return next(iter(widths.values())), None
    encoder = open_bare_encoder(config)
    return int(encoder.get_embedding_dimension() or 0), encoder


def _width_of(path: Path) -> int:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(DOCUMENTS) as file:
            version = npy.read_magic(file)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read(file)
    except (OSError, KeyError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise ConfigError(f"embeddings {path} cannot be read as NPZ with an array 'docs': {error}") from error
    if len(shape) != 2 or dtype.kind != "f":  # noqa: PLR2004 - a matrix
        raise ConfigError(f"embeddings {path}: 'docs' is {dtype} of shape {shape}; expected numbers of shape (n, d)")
    return int(shape[1])
