"""An experiment as a TOML file: encoder, data, heads, objectives, and the grid of them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StrictInt,
    ValidationError,
    ValidationInfo,
    model_serializer,
    model_validator,
)

from hybrid_qproj.encoders import MAX_TOKENS, Pooling
from hybrid_qproj.errors import HybridQprojError
from hybrid_qproj.fitting import FitSettings
from hybrid_qproj.heads import HEADS
from hybrid_qproj.retrieval.collection import drops_self
from hybrid_qproj.retrieval.documents import LEE, beir_file
from hybrid_qproj.retrieval.measures import MEASURES
from hybrid_qproj.retrieval.protocols import DEPTH, Protocol
from hybrid_qproj.training.settings import Count, TrainingSettings


class ConfigError(HybridQprojError, ValueError):
    """A configuration file that cannot be read or contradicts itself."""


def _beside_config(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder", Path())
    return folder / path.expanduser()


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

Fraction = Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, le=1)]
"""Training queries: a whole number of them, or a share as a decimal (1.0 is all)."""


class Strict(BaseModel):
    """A table in which a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EncoderConfig(Strict):
    """Which encoder, and how it is used; see `hybrid_qproj.encoders.load_encoder`.

    Attributes:
        name: preset, hub name or folder.
        pooling: None for the model's own.
        max_tokens: texts are cut there.
        layers: trained layers, several to compare them; 0 is frozen, then embeddings are computed once.
        cache: folder of computed embeddings; shared by all experiments that name it.
        batch_size: texts encoded at once.
    """

    name: str = "minilm"
    pooling: Pooling | None = None
    max_tokens: Count = MAX_TOKENS
    layers: tuple[Annotated[int, Field(ge=0)] | Literal["all"], ...] = (0,)
    cache: File = Field(default=Path("embeddings"), validate_default=True)
    batch_size: Count = 64


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
    grades: dict[int, StrictInt] | None = None
    embeddings: File | None = None

    @model_validator(mode="after")
    def _one_source(self) -> DataConfig:
        given = [name for name in ("dataset", "judged", "documents") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"expected exactly one of dataset, judged and documents; got {given or 'none'}")
        if self.documents is None and (self.queries or self.qrels):
            raise ValueError("queries and qrels go with documents; a dataset or judged file has its own")
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

    name: str
    protocol: Protocol
    run: File | None = None
    relevant: int = 1
    depth: Count = DEPTH
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
    negatives: Count = 4
    relevant: int = 2
    queries: Fraction = 1.0
    seed: int = 42

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
        kind: class of the head, a key of `hybrid_qproj.heads.HEADS`.
        args: its constructor's keywords beside the sizes.
        fit: for QuantumProjection: keywords of `hybrid_qproj.fitting.FitSettings`; plan and angles then come from the
            experiment's texts.
        sample: of how many of the texts a fitted head is made, each seed drawing others; None for all of them.
        tune: whether a fitted head is then trained, as the others are.
        parameters_of: for LowRankLinear: the head of this experiment whose number of parameters it may have.
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
    sizes: tuple[Count, ...] | None = None
    objectives: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _known(self) -> HeadConfig:
        if self.kind not in HEADS:
            raise ValueError(f"no head {self.kind!r}; expected one of {', '.join(HEADS)}")
        if "allow_paid" in self.args:
            raise ValueError("args.allow_paid: no file allows what can cost money; give --yes on the command line")
        if (self.parameters_of is not None) != (self.kind == "LowRankLinear" and "rank" not in self.args):
            raise ValueError("LowRankLinear needs args.rank or parameters_of; other heads take no parameters_of")
        if self.sample is not None and self.fit is None and self.kind != "PCAProjection":
            raise ValueError(
                "sample is for heads that are fitted to texts: PCAProjection, and QuantumProjection with fit"
            )
        if self.tune and self.fit is None:
            raise ValueError("tune goes on from a fit; give fit, or leave tune out")
        if self.fit is not None:
            if self.kind != "QuantumProjection" or not self.args.keys().isdisjoint({"plan", "init", "normalize"}):
                raise ValueError("fit is for QuantumProjection, whose plan, init and normalize it decides")
            try:
                FitSettings(**self.fit)
            except TypeError as error:
                raise ValueError(f"fit: {error}") from error
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

    name: str
    sizes: tuple[Count, ...]
    seeds: Count = 1
    fractions: tuple[Fraction, ...] = (1.0,)
    measures: tuple[str, ...] = MEASURES
    baselines: tuple[str, ...] = ()
    pools: dict[str, tuple[str, ...]] = {}
    encoder: EncoderConfig = Field(default_factory=EncoderConfig)
    labels: LabelsConfig | None = None
    texts: TextsConfig | None = None
    dev: TestConfig | None = None
    test: tuple[TestConfig, ...] = ()
    training: TrainingSettings = TrainingSettings()
    heads: dict[str, HeadConfig]
    objectives: dict[str, ObjectiveConfig] = {}

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
            for key, named in (("training_for", head.training_for), ("objectives", head.objectives or ())):
                if wrong := set(named) - set(self.objectives):
                    raise ValueError(f"head {name!r}: {key} names {sorted(wrong)}, which are no objectives")
            for objective in self.objectives:
                self.settings(name, objective)
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


def load_config(path: Path) -> ExperimentConfig:
    """Read an experiment.

    Args:
        path: a TOML file.

    Returns:
        the experiment; paths in it start at the file's folder.

    Raises:
        ConfigError: it is missing, no TOML, or not sound; each wrong key is named with what was expected.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"no configuration file {str(path)!r}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no TOML: {error}") from error
    try:
        return ExperimentConfig.model_validate(table, context={"folder": path.parent})
    except ValidationError as error:
        lines = [
            f"  {'.'.join(map(str, problem['loc'])) or 'experiment'}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()
        ]
        raise ConfigError(f"{path} is not sound:\n" + "\n".join(lines)) from error
