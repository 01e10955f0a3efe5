"""An experiment as a TOML file: encoder, data, heads, objectives, and the grid of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Hashable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    StrictInt,
    ValidationError,
    ValidationInfo,
    model_serializer,
    model_validator,
)

from hybrid_qproj.circuits import get
from hybrid_qproj.devices import DeviceSpec
from hybrid_qproj.errors import HybridQprojError
from hybrid_qproj.experiments.keywords import check_keywords
from hybrid_qproj.experiments.toml import TomlError, explain, read_toml
from hybrid_qproj.heads import registry
from hybrid_qproj.heads.base import Head
from hybrid_qproj.retrieval.collection import drops_self
from hybrid_qproj.retrieval.documents import LEE, beir_file
from hybrid_qproj.retrieval.lines import is_file
from hybrid_qproj.retrieval.measures import MEASURES, check_measure
from hybrid_qproj.retrieval.protocols import DEPTH, Protocol
from hybrid_qproj.retrieval.rules import LARGEST_GRADE, parse_grade
from hybrid_qproj.text.encoders import MAX_TOKENS, PRESETS, Pooling
from hybrid_qproj.training.contrastive import Contrastive
from hybrid_qproj.training.distillation import SimilarityDistillation
from hybrid_qproj.training.settings import BatchSize, Count, TrainingSettings

MOST_CELLS = 100_000
"""Runs of one experiment at most; more are a slip of the pen."""


ENCODER_FILES = ("modules.json", "config.json", "config_sentence_transformers.json")
"""What shows that a folder holds an encoder."""


class ConfigError(HybridQprojError, ValueError):
    """A configuration file that cannot be read or contradicts itself."""


T = TypeVar("T", bound=Collection[Any])


def _beside_config(path: Path, info: ValidationInfo) -> Path:
    if "\0" in str(path):
        raise ValueError("a path holds no null character")
    folder = (info.context or {}).get("folder", Path())
    return folder / path.expanduser()


def _once(values: T) -> T:
    seen: set[Hashable] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{value!r} stands there twice")
        seen.add(value)
    return values


def _grade_key(key: object) -> object:
    return parse_grade(key, "the key of a table") if isinstance(key, str) else key


def _grades_once(table: object) -> object:
    """Refuse a table in which one grade stands under two names, such as 1 and 01."""
    if isinstance(table, dict):
        _once([parse_grade(key, "the key of a table") if isinstance(key, str) else key for key in table])
    return table


def _printable(name: str) -> str:
    if not name.isprintable() or name != name.strip():
        raise ValueError("a name has no control characters, and no space at its ends")
    return name


File = Annotated[Path, AfterValidator(_beside_config)]
"""A path; a relative one starts at the configuration file's folder."""


def _folder_or_name(dataset: str | Path, info: ValidationInfo) -> str | Path:
    """A BEIR folder beside the configuration, as a path; else the name of a dataset, as it is."""
    if not str(dataset).strip():
        raise ValueError("the name of a dataset is blank")
    path = _beside_config(Path(dataset), info)
    if beir_file(path, "corpus.jsonl"):
        return path
    if str(dataset) not in LEE and beir_file(dataset, "corpus.jsonl"):
        raise ValueError(
            f"{str(dataset)!r} is a folder of the working directory; paths start at the configuration file's folder: "
            "write the path from there"
        )
    return str(dataset)


Dataset = Annotated[str | Path, AfterValidator(_folder_or_name)]
"""A collection by name; the path of a BEIR folder starts at the configuration file's folder."""
Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_printable)]
"""Of a head, an objective, a test: it goes into tables and names of files."""
Size = Annotated[int, Field(ge=1, le=100_000)]
Grade = Annotated[int, Field(ge=1, le=1_000_000)]
"""Least grade that is relevant; 0 would make everything so."""
GivenGrade = Annotated[StrictInt, Field(ge=-LARGEST_GRADE, le=LARGEST_GRADE)]
GradeKey = Annotated[int, BeforeValidator(_grade_key), Field(ge=-LARGEST_GRADE, le=LARGEST_GRADE)]
"""A grade as the key of a table, where TOML has text only."""
Seed = Annotated[int, Field(ge=0, lt=1 << 32)]
Layers = Annotated[int, Field(ge=0, le=1000)] | Literal["all"]
Fraction = Annotated[int, Field(ge=1, le=1_000_000_000)] | Annotated[float, Field(gt=0, le=1)]
"""Training queries: a whole number of them, or a share as a decimal (1.0 is all)."""


class Strict(BaseModel):
    """A table in which a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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
    layers: Annotated[tuple[Layers, ...], Field(min_length=1), AfterValidator(_once)] = (0,)
    # As text and as a table: defaults are validated like what stands in the file, where there are no paths.
    cache: File = Field(default="embeddings", validate_default=True)
    batch_size: BatchSize = 64
    _folder: str | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _look_beside_the_file(self, info: ValidationInfo) -> EncoderConfig:
        # Beside the name, not in its place: results belong to what stands in the file, wherever it is read from.
        if self.name not in PRESETS:
            folder = _beside_config(Path(self.name), info)
            self._folder = str(folder) if any(is_file(folder / mark) for mark in ENCODER_FILES) else None
        return self

    @property
    def source(self) -> str:
        """What is loaded: the folder that the name leads to from the configuration's folder, else the name."""
        return self._folder or self.name


class DataConfig(Strict):
    """Where a collection is read from: exactly one of ``dataset``, ``judged`` and ``documents``.

    Attributes:
        dataset: a BEIR folder (one with corpus.jsonl), "lee", "lee-background", or an id of ir_datasets.
        split: of a BEIR folder.
        judged: JSONL, a query with its judged passages a line.
        local_ids: whether docids in it are local to their query; documents are then called QID:DOCID.
        documents: TSV or JSONL; with ``queries`` and ``qrels``.
        queries: topics, TSV or JSONL.
        qrels: judgements, TREC or BEIR format.
        grades: replaces grades, e.g. ``{ "1" = 4, "-1" = 4 }`` where 1 is best.
        embeddings: NPZ of embeddings computed elsewhere (docids, docs, qids, queries).
    """

    dataset: Dataset | None = None
    split: str = "test"
    judged: File | None = None
    local_ids: bool = False
    documents: File | None = None
    queries: File | None = None
    qrels: File | None = None
    grades: Annotated[dict[GradeKey, GivenGrade], BeforeValidator(_grades_once)] | None = None
    embeddings: File | None = None

    @model_validator(mode="after")
    def _one_source(self) -> DataConfig:
        given = [name for name in ("dataset", "judged", "documents") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"expected exactly one of dataset, judged and documents; got {given or 'none'}")
        if self.documents is None and (self.queries or self.qrels):
            raise ValueError("queries and qrels go with documents; a dataset or judged file has its own")
        if "split" in self.model_fields_set and self.dataset is None:
            raise ValueError("split goes with dataset; qrels names the judgements of loose files")
        if self.local_ids and self.judged is None:
            raise ValueError("local_ids goes with judged: only there do passages' ids stand with a query")
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # What is not chosen is not written, so that results from before there was a choice keep their digests.
        table: dict[str, Any] = handler(self)
        if not self.local_ids:
            table.pop("local_ids", None)
        return table


class TestConfig(DataConfig):
    """A collection to evaluate on; see `hybrid_qproj.retrieval.protocols.make_test_set`.

    Attributes:
        name: in tables.
        protocol: what is ranked.
        run: first stage of ``"rerank"``, a TREC run file.
        relevant: least grade that is relevant for binary measures.
        depth: documents a query of ``"retrieve"``.
        drop_self: whether the document with the query's own id is left out of its ranking; None: as BEIR does for
            BEIR's collections and for "lee", not for others.
    """

    __test__ = False  # no test of pytest

    name: Name
    protocol: Protocol
    run: File | None = None
    relevant: Grade = 1
    depth: Annotated[int, Field(ge=1, le=1_000_000)] = DEPTH
    drop_self: bool | None = None

    @property
    def drops_self(self) -> bool:
        """Whether the document with the query's own id is left out of its ranking."""
        return drops_self(self.dataset) if self.drop_self is None else self.drop_self

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        table = super()._without_defaults(handler)
        del table["drop_self"]
        # The judgements of "lee" name no text as its own: nothing to drop, and nothing that changes a result.
        idle = self.drop_self is None and self.dataset == "lee" and self.protocol == "judged"
        return {**table, "drop_self": True} if self.drops_self and not idle else table

    @model_validator(mode="after")
    def _run_is_there(self) -> TestConfig:
        if (self.run is not None) != (self.protocol == "rerank"):
            raise ValueError(f"{self.name}: protocol 'rerank' needs a run, the others take none")
        return self


class LabelsConfig(Strict):
    """Labelled training examples: of a judged collection, of docpairs, or of a file of triples.

    Attributes:
        source: a judged collection.
        docpairs: id of ir_datasets with docpairs, such as msmarco-passage/train/triples-small.
        triples: TSV or JSONL of texts.
        negatives: hard negatives an example.
        relevant: least grade of a positive.
        queries: training queries at most, before the grid's fractions.
        seed: of the choice of queries and negatives.
    """

    source: DataConfig | None = None
    docpairs: str | None = None
    triples: File | None = None
    negatives: Annotated[int, Field(ge=1, le=10_000)] = 4
    relevant: Grade = 2
    queries: Fraction = 1.0
    seed: Seed = 42

    @model_validator(mode="after")
    def _one_source(self) -> LabelsConfig:
        if sum(value is not None for value in (self.source, self.docpairs, self.triples)) != 1:
            raise ValueError("expected exactly one of source, docpairs and triples")
        return self


class TextsConfig(Strict):
    """Texts without labels: for distillation, and for heads that are fitted.

    Attributes:
        source: a collection.
        queries: whether its queries count as texts too.
        limit: texts at most, the first ones.
    """

    source: DataConfig
    queries: bool = False
    limit: Count | None = None


class HeadConfig(Strict):
    """A head of the comparison.

    Attributes:
        kind: class of the head, a name of `hybrid_qproj.heads.registry.names`.
        args: its constructor's keywords beside the sizes.
        fit: for a class whose fit has settings: their keywords, of QuantumProjection those of
            `hybrid_qproj.fitting.FitSettings`; what the fit decides then comes from the experiment's texts.
        sample: of how many of the texts a fitted head is made, each seed drawing others; None for all of them.
        tune: whether a fitted head is then trained, as the others are.
        parameters_of: for a class that takes a budget, as LowRankLinear: the head of this experiment whose number of
            parameters it may have.
        training: settings that differ from the experiment's.
        training_for: objective -> settings that differ for it alone.
        labels: keywords of the objective on labels that differ.
        texts: keywords of the objective on texts that differ.
        sizes: when it is compared at some of the experiment's sizes only.
        objectives: when it is trained for some of the experiment's objectives only.
    """

    kind: str
    args: dict[str, Any] = {}
    fit: dict[str, Any] | None = None
    sample: Count | None = None
    tune: bool = False
    parameters_of: str | None = None
    training: dict[str, Any] = {}
    training_for: dict[str, dict[str, Any]] = {}
    labels: dict[str, Any] = {}
    texts: dict[str, Any] = {}
    sizes: Annotated[tuple[Size, ...], Field(min_length=1), AfterValidator(_once)] | None = None
    objectives: Annotated[tuple[Name, ...], Field(min_length=1), AfterValidator(_once)] | None = None
    _class: type[Head] = PrivateAttr()

    @model_validator(mode="after")
    def _known(self) -> HeadConfig:
        self._class = cls = registry.get(self.kind)
        if "allow_paid" in self.args:
            raise ValueError("args.allow_paid: no file allows what can cost money; give --yes on the command line")
        if (self.parameters_of is not None) != (cls.budgeted is not None and cls.budgeted not in self.args):
            raise ValueError(
                f"{self.kind} needs args.{cls.budgeted} or parameters_of, and not both"
                if cls.budgeted is not None
                else f"{self.kind} takes no parameters_of; that is for {_those(lambda head: head.budgeted is not None)}"
            )
        if self.sample is not None and not self.is_fitted:
            always = _those(lambda head: head.fitting is not None and head.fitting.required)
            raise ValueError(
                f"sample is for heads that are fitted to texts: {always}, and {_those(_has_settings)} with fit"
            )
        if self.tune and not self.is_fitted:
            raise ValueError("tune goes on from a fit; give fit, or leave tune out")
        if self.fit is not None:
            if cls.fitting is None or cls.fitting.settings is None:
                raise ValueError(f"fit is for {_those(_has_settings)}; got {self.kind}")
            if decided := sorted(cls.fitting.decides & self.args.keys()):
                decides = ", ".join(sorted(cls.fitting.decides))
                raise ValueError(f"fit decides {decides} of a {self.kind}; leave {', '.join(decided)} out of args")
            _in("fit", check_keywords, cls.fitting.settings, self.fit)
            cls.fitting.settings(**self.fit)
        return self

    @property
    def head_class(self) -> type[Head]:
        """The class of the head; a copy in a worker process has it, whatever is registered there."""
        return self._class

    @property
    def is_fitted(self) -> bool:
        """Whether it is fitted to unlabelled embeddings before use."""
        fitting = self.head_class.fitting
        return self.fit is not None or (fitting is not None and fitting.required)

    @model_validator(mode="after")
    def _keywords_exist(self, info: ValidationInfo) -> HeadConfig:
        _in("args", check_keywords, self.head_class.fit if self.is_fitted else self.head_class, self.args)
        _in("labels", check_keywords, Contrastive, self.labels)
        _in("texts", check_keywords, SimilarityDistillation, self.texts)
        if not self.head_class.has_circuits:
            return self
        if isinstance(circuit := self.args.get("circuit"), str):
            if ":" in circuit and circuit not in (info.context or {}).get("ansaetze", (circuit,)):
                raise ValueError(
                    f"args.circuit = {circuit!r} would import code because a file says so; if you trust it, add "
                    f"--ansatz {circuit}"
                )
            _in("args.circuit", get, circuit)
        if isinstance(device := self.args.get("device"), str):
            _in("args.device", DeviceSpec.parse, device)
        return self


class ObjectiveConfig(Strict):
    """What heads are trained for: on labels, on texts, or in turn on both.

    Attributes:
        labels: keywords of `hybrid_qproj.training.contrastive.Contrastive`.
        texts: keywords of `hybrid_qproj.training.distillation.SimilarityDistillation`.
        training: settings that differ from the experiment's.
    """

    labels: dict[str, Any] | None = None
    texts: dict[str, Any] | None = None
    training: dict[str, Any] = {}

    @model_validator(mode="after")
    def _something(self) -> ObjectiveConfig:
        if self.labels is None and self.texts is None:
            raise ValueError("expected labels, texts or both")
        _in("labels", check_keywords, Contrastive, self.labels or {})
        _in("texts", check_keywords, SimilarityDistillation, self.texts or {})
        return self


class ExperimentConfig(Strict):
    """A whole experiment.

    Attributes:
        name: for titles.
        sizes: the k to compress to.
        seeds: seeds 0, 1, ... of everything random.
        fractions: shares or numbers of the training queries.
        measures: see `hybrid_qproj.retrieval.measures.evaluate_run`; the first one leads tables and plots.
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
    sizes: Annotated[tuple[Size, ...], Field(min_length=1), AfterValidator(_once)]
    seeds: Annotated[int, Field(ge=1, le=10_000)] = 1
    fractions: Annotated[tuple[Fraction, ...], Field(min_length=1), AfterValidator(_once)] = (1.0,)
    measures: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_once)] = MEASURES
    baselines: Annotated[tuple[Name, ...], Field(max_length=26), AfterValidator(_once)] = ()
    pools: dict[Name, Annotated[tuple[Name, ...], Field(min_length=1), AfterValidator(_once)]] = {}
    encoder: EncoderConfig = Field(default_factory=dict, validate_default=True)
    labels: LabelsConfig | None = None
    texts: TextsConfig | None = None
    dev: TestConfig | None = None
    test: tuple[TestConfig, ...] = ()
    training: TrainingSettings = TrainingSettings()
    heads: Annotated[dict[Name, HeadConfig], Field(min_length=1)]
    objectives: dict[Name, ObjectiveConfig] = {}

    @model_validator(mode="after")
    def _measures_exist(self) -> ExperimentConfig:
        for measure in self.measures:
            _in("measures", check_measure, measure)
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
            for objective in self.objectives:
                try:
                    self.settings(name, objective)
                except ValidationError as error:
                    raise ValueError(
                        f"training of head {name!r} for {objective!r}: {'; '.join(explain(error, TrainingSettings))}"
                    ) from error
        if wrong := set(self.baselines) - set(self.heads):
            raise ValueError(f"baselines {sorted(wrong)} are no heads of this experiment")
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

    def settings(self, head: str, objective: str) -> TrainingSettings:
        """How a head is trained for an objective: what is said for all, for the objective, for the head, for both."""
        mine = self.heads[head]
        tables = (self.objectives[objective].training, mine.training, mine.training_for.get(objective, {}))
        merged = self.training.model_dump()
        for table in tables:
            merged.update(table)
        return TrainingSettings.model_validate(merged)


def _has_settings(head: type[Head]) -> bool:
    return head.fitting is not None and head.fitting.settings is not None


def _those(wanted: Callable[[type[Head]], bool]) -> str:
    """Names of the heads of which something holds."""
    return ", ".join(name for name in registry.names() if wanted(registry.get(name)))


def _in(key: str, check: Any, *arguments: Any) -> None:
    """Check, and tell errors with the key they belong to."""
    try:
        check(*arguments)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error


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
        return ExperimentConfig.model_validate_json(
            # As JSON, lists are read as tuples and texts as paths, and nothing else is taken for what it is not.
            json.dumps(table),
            strict=True,
            context={"folder": path.parent, "ansaetze": tuple(ansaetze)},
        )
    except TomlError as error:
        raise ConfigError(str(error)) from error
    except ValidationError as error:
        raise ConfigError(f"{path} is not sound: {'; '.join(explain(error, ExperimentConfig))}") from None
