"""The table [encoder]: which encoder, and how it is used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    model_serializer,
    model_validator,
)

from hybrid_qproj.experiments.config.fields import File, Layers, Strict, beside_config, once
from hybrid_qproj.retrieval.lines import is_file
from hybrid_qproj.text.embeddings.fingerprint import Autocast
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
        normalize: whether heads get embeddings of unit norm, computed elsewhere or not.
        layers: trained layers, several to compare them: N is the last N of them, ``"all"`` everything, and a list those
            of these numbers, the lowest layer being 0; 0 is frozen, then embeddings are computed once.
        autocast: ``"bfloat16"`` lets frozen encoders compute in it where torch deems that safe: faster on processors
            that have it, and of other embeddings than float32's by about a hundredth.
        reset: last layers, or "all", whose weights are drawn anew with each seed before training: from scratch.
        cache: folder of computed embeddings; shared by all experiments that name it. A preset's model is looked for
            beside it first, in a folder of the model's name.
        batch_size: texts encoded at once.
    """

    name: Annotated[str, Field(min_length=1)] = "minilm"
    pooling: Pooling | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = MAX_TOKENS
    layers: Annotated[tuple[Layers, ...], Field(min_length=1), AfterValidator(once)] = (0,)
    normalize: bool = False
    autocast: Autocast | None = None
    reset: Annotated[int, Field(ge=0, le=1000)] | Literal["all"] = 0
    # As text and as a table: defaults are validated like what stands in the file, where there are no paths.
    cache: File = Field(default="embeddings", validate_default=True)
    batch_size: BatchSize = 64
    _folder: str | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _look_beside_the_file(self, info: ValidationInfo) -> EncoderConfig:
        # Beside the name, not in its place: results belong to what stands in the file, wherever it is read from.
        preset = PRESETS.get(self.name)
        if preset is None:
            folder = beside_config(Path(self.name), info)
        else:
            folder = self.cache.parent / preset.model.rpartition("/")[2]
        self._folder = str(folder) if any(is_file(folder / mark) for mark in ENCODER_FILES) else None
        return self

    @model_validator(mode="after")
    def _reset_layers_train(self) -> EncoderConfig:
        if self.reset and 0 in self.layers:
            raise ValueError("reset draws weights that must be trained; leave 0, a frozen encoder, out of layers")
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # What is not chosen is not written, so that results from before there was a choice keep their digests.
        table: dict[str, Any] = handler(self)
        for key in ("autocast", "normalize", "reset"):
            if not table.get(key):
                table.pop(key, None)
        return table

    @property
    def source(self) -> str:
        """What is loaded: the folder that the name leads to from the configuration or its cache, else the name."""
        return self._folder or self.name
