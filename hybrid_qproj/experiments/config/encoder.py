"""The table [encoder]: which encoder, and how it is used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, PrivateAttr, ValidationInfo, model_validator

from hybrid_qproj.experiments.config.fields import File, Layers, Strict, beside_config, once
from hybrid_qproj.retrieval.lines import is_file
from hybrid_qproj.text.encoders import MAX_TOKENS, PRESETS, Pooling
from hybrid_qproj.training.settings import BatchSize

ENCODER_FILES = ("modules.json", "config.json", "config_sentence_transformers.json")
"""What shows that a folder holds an encoder."""


class EncoderConfig(Strict):
    """Which encoder, and how it is used; see `hybrid_qproj.text.encoders.load_encoder`.

    Attributes:
        name: preset, hub name or folder, whose path starts at the configuration file's folder; a path that leads to no
            encoder from there starts at the working directory.
        pooling: None for the model's own.
        max_tokens: texts are cut there.
        layers: trained layers, several to compare them; 0 is frozen, then embeddings are computed once.
        cache: folder of computed embeddings; shared by all experiments that name it.
        batch_size: texts encoded at once.
    """

    name: Annotated[str, Field(min_length=1)] = "minilm"
    pooling: Pooling | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = MAX_TOKENS
    layers: Annotated[tuple[Layers, ...], Field(min_length=1), AfterValidator(once)] = (0,)
    # As text and as a table: defaults are validated like what stands in the file, where there are no paths.
    cache: File = Field(default="embeddings", validate_default=True)
    batch_size: BatchSize = 64
    _folder: str | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _look_beside_the_file(self, info: ValidationInfo) -> EncoderConfig:
        # Beside the name, not in its place: results belong to what stands in the file, wherever it is read from.
        if self.name not in PRESETS:
            folder = beside_config(Path(self.name), info)
            self._folder = str(folder) if any(is_file(folder / mark) for mark in ENCODER_FILES) else None
        return self

    @property
    def source(self) -> str:
        """What is loaded: the folder that the name leads to from the configuration's folder, else the name."""
        return self._folder or self.name
