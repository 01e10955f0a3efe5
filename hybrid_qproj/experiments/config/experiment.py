"""An experiment as a TOML file: encoder, data, heads, objectives, and the grid of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from hybrid_qproj.experiments.config.data import LabelsConfig, TestConfig, TextsConfig
from hybrid_qproj.experiments.config.encoder import EncoderConfig
from hybrid_qproj.experiments.config.fields import (
    LARGEST_SEED,
    ConfigError,
    Fraction,
    Name,
    Seed,
    Size,
    Strict,
    once,
    within,
)
from hybrid_qproj.experiments.config.heads import HeadConfig, ObjectiveConfig
from hybrid_qproj.experiments.toml import TomlError, explain, read_toml
from hybrid_qproj.retrieval.measures import MEASURES, check_measure
from hybrid_qproj.training.settings import TrainingSettings

MOST_CELLS = 100_000
"""Runs of one experiment at most; more are a slip of the pen."""


Members = Annotated[tuple[Name, ...], Field(min_length=1), AfterValidator(once)]
"""Tests of a pool."""


class ExperimentConfig(Strict):
    """A whole experiment.

    Attributes:
        name: for titles.
        sizes: to compress to, see ``sizes_in``.
        sizes_in: what sizes count: ``"numbers"`` of an output, k, or ``"bytes"`` of a document. An output in float32
            takes four bytes a number, a head with a codec as many as it is asked for.
        seeds: how many seeds of everything random.
        first_seed: the first of them; the others follow it.
        fractions: shares or numbers of the training queries.
        measures: see `hybrid_qproj.retrieval.measures.evaluate_run`; the first one leads tables and plots.
        each_epoch: whether the tests are also evaluated after each epoch of training, for the report to show. That
            decides nothing.
        baselines: heads that all others are tested against, "full" being the uncompressed embedding.
        pools: tests whose queries are also taken together: name -> tests.
        encoder: the encoder.
        labels: labelled examples.
        texts: unlabelled texts.
        dev: collection whose first measure chooses the best epoch.
        test: collections to evaluate on.
        training: how heads are trained.
        heads: the heads, by the name tables give them.
        objectives: the objectives, by name.
    """

    name: Name
    sizes: Annotated[tuple[Size, ...], Field(min_length=1), AfterValidator(once)]
    sizes_in: Literal["numbers", "bytes"] = "numbers"
    seeds: Annotated[int, Field(ge=1, le=10_000)] = 1
    first_seed: Seed = 0
    fractions: Annotated[tuple[Fraction, ...], Field(min_length=1), AfterValidator(once)] = (1.0,)
    measures: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(once)] = MEASURES
    each_epoch: bool = False
    baselines: Annotated[tuple[Name, ...], Field(max_length=26), AfterValidator(once)] = ()
    pools: dict[Name, Annotated[tuple[Name, ...], Field(min_length=1), AfterValidator(once)]] = Field(
        default_factory=dict
    )
    encoder: EncoderConfig = Field(default_factory=dict, validate_default=True)
    labels: LabelsConfig | None = None
    texts: TextsConfig | None = None
    dev: TestConfig | None = None
    test: tuple[TestConfig, ...] = ()
    training: TrainingSettings = TrainingSettings()
    heads: Annotated[dict[Name, HeadConfig], Field(min_length=1)]
    objectives: dict[Name, ObjectiveConfig] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _measures_exist(self) -> ExperimentConfig:
        for measure in self.measures:
            within("measures", check_measure, measure)
        return self

    @model_validator(mode="after")
    def _grid_is_sane(self) -> ExperimentConfig:
        cells = sum(
            len(head.sizes or self.sizes) * max(1, len(head.objectives or self.objectives) * len(self.fractions))
            for head in self.heads.values()
        )
        cells *= len(self.encoder.layers) * self.seeds
        if cells > MOST_CELLS:
            raise ValueError(
                f"heads, sizes, objectives, fractions, layers and {self.seeds:,} seeds make up to {cells:,} cells; "
                f"expected at most {MOST_CELLS:,}"
            )
        return self

    @model_validator(mode="after")
    def _seeds_are_seeds(self) -> ExperimentConfig:
        if self.first_seed + self.seeds - 1 > LARGEST_SEED:
            raise ValueError(
                f"{self.seeds:,} seeds from first_seed = {self.first_seed} on would exceed {LARGEST_SEED}; lower one"
            )
        for name, head in self.heads.items():
            if head.seeds is not None and head.seeds > self.seeds:
                raise ValueError(f"head {name!r}: seeds = {head.seeds}, but the experiment has {self.seeds}")
        return self

    @model_validator(mode="after")
    def _objectives_have_data(self) -> ExperimentConfig:
        for name, objective in self.objectives.items():
            for part in ("labels", "texts"):
                if getattr(objective, part) is not None and getattr(self, part) is None:
                    raise ValueError(f"objective {name!r} trains on {part}, but the experiment has no [{part}]")
        return self

    @model_validator(mode="after")
    def _heads_are_sound(self) -> ExperimentConfig:
        for name, head in self.heads.items():
            if head.parameters_of is not None and head.parameters_of not in self.heads:
                raise ValueError(f"head {name!r}: parameters_of names {head.parameters_of!r}, which is no head")
            if head.parameters_of is not None and self.heads[head.parameters_of].parameters_of is not None:
                raise ValueError(
                    f"head {name!r}: parameters_of names {head.parameters_of!r}, whose own number is another head's"
                )
            for key, named in (("training_for", head.training_for), ("objectives", head.objectives or ())):
                if wrong := set(named) - set(self.objectives):
                    raise ValueError(f"head {name!r}: {key} names {sorted(wrong)}, which are no objectives")
            strange = set(head.training_at) - set(head.sizes or self.sizes)
            if strange and head.head_class.compresses:
                raise ValueError(f"head {name!r}: training_at names {sorted(strange)}, which are no sizes of it")
            for objective, k in product(self.objectives, (None, *head.training_at)):
                try:
                    self.settings(name, objective, k)
                except ValidationError as error:
                    raise ValueError(
                        f"training of head {name!r} for {objective!r}: {'; '.join(explain(error, TrainingSettings))}"
                    ) from error
        if wrong := set(self.baselines) - set(self.heads):
            raise ValueError(f"baselines {sorted(wrong)} are no heads of this experiment")
        return self

    @model_validator(mode="after")
    def _codecs_are_sound(self) -> ExperimentConfig:
        if self.each_epoch and self.sizes_in == "bytes":
            raise ValueError(
                "each_epoch evaluates outputs before they are coded; leave it out where sizes_in = 'bytes'"
            )
        for name, head in self.heads.items():
            if head.codec is None:
                continue
            if self.sizes_in != "bytes":
                raise ValueError(f"head {name!r}: a codec makes bytes of outputs; say sizes_in = 'bytes' at the top")
            if self.texts is None:
                raise ValueError(f"head {name!r}: its codec is fitted to texts, but the experiment has no [texts]")
            sizes = head.sizes or self.sizes
            if isinstance(head.k, dict) and set(head.k) != set(sizes):
                raise ValueError(f"head {name!r}: k names {sorted(head.k)}; expected its sizes, {sorted(sizes)}")
        return self

    @model_validator(mode="after")
    def _tests_have_names(self) -> ExperimentConfig:
        tests = [test.name for test in self.test]
        if len(set(tests)) < len(tests):
            raise ValueError(f"two tests have the same name: {tests}")
        for pool, members in self.pools.items():
            if pool in tests or not set(members) <= set(tests):
                raise ValueError(f"pool {pool!r} must have a name of its own and name tests; got {list(members)}")
        return self

    @property
    def all_seeds(self) -> range:
        """The seeds of everything random."""
        return range(self.first_seed, self.first_seed + self.seeds)

    def settings(self, head: str, objective: str, k: int | None = None) -> TrainingSettings:
        """How a head is trained for an objective.

        Args:
            head: its name.
            objective: its name.
            k: size; None for what is said of no size.

        Returns:
            what is said for all, for the objective, for the head, for both, and for the head at this size; what comes
            later counts.
        """
        mine = self.heads[head]
        for_both, at_size = mine.training_for.get(objective, {}), mine.training_at.get(k, {}) if k is not None else {}
        tables = (self.objectives[objective].training, mine.training, for_both, at_size)
        merged = self.training.model_dump()
        for table in tables:
            merged.update(table)
        return TrainingSettings.model_validate(merged)


def load_config(path: Path, ansaetze: Collection[str] = ()) -> ExperimentConfig:
    """Read an experiment.

    Args:
        path: a TOML file.
        ansaetze: ``"package.module:name"`` of ansaetze that the file may have imported; registered ones go by their
            names.

    Returns:
        the experiment; paths in it start at the file's folder.

    Raises:
        ConfigError: it is missing, no TOML, or not sound; each wrong key is named with what was expected.
    """
    try:
        table = read_toml(path)
    except TomlError as error:
        raise ConfigError(str(error)) from error
    return parse_config(table, str(path), path.parent, ansaetze)


def parse_config(table: Mapping[str, Any], name: str, folder: Path, ansaetze: Collection[str] = ()) -> ExperimentConfig:
    """An experiment from what stands in its file.

    Args:
        table: as `read_toml` gives it.
        name: of the file, for messages.
        folder: where paths in it start.
        ansaetze: see `load_config`.

    Returns:
        the experiment.

    Raises:
        ConfigError: it is not sound; each wrong key is named with what was expected.
    """
    try:
        # As JSON, lists are read as tuples and texts as paths, and nothing else is taken for what it is not.
        return ExperimentConfig.model_validate_json(
            json.dumps(table), strict=True, context={"folder": folder, "ansaetze": tuple(ansaetze)}
        )
    except ValidationError as error:
        raise ConfigError(f"{name} is not sound: {'; '.join(explain(error, ExperimentConfig))}") from None
