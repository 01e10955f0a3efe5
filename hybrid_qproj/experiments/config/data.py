"""The tables [[test]], [dev], [labels] and [texts]: collections, and what of them is used for what."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from hybrid_qproj.experiments.config.fields import (
    Dataset,
    File,
    Fraction,
    GivenGrade,
    Grade,
    GradeKey,
    Name,
    Seed,
    Strict,
    grades_once,
)
from hybrid_qproj.retrieval.collection import drops_self
from hybrid_qproj.retrieval.packaged import ranks_itself
from hybrid_qproj.retrieval.protocols import DEPTH, Protocol
from hybrid_qproj.training.settings import Count


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
    grades: Annotated[dict[GradeKey, GivenGrade], BeforeValidator(grades_once)] | None = None
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
        # Judgements of packaged ones name no text as its own: nothing to drop, and nothing that changes a result.
        idle = self.drop_self is None and ranks_itself(self.dataset) and self.protocol == "judged"
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
        negatives: hard negatives an example; 0, of triples alone, for objectives with negatives from the batch.
        exact: whether queries with more negatives than that are left out too.
        relevant: least grade of a positive.
        queries: training queries at most, before the grid's fractions.
        validation: of these queries, which each seed draws and does not train on: their number, or how many for each
            query that is trained on (0.1: one for ten). Their loss after each epoch is recorded; it decides nothing.
        seed: of the choice of queries and negatives.
    """

    source: DataConfig | None = None
    docpairs: str | None = None
    triples: File | None = None
    negatives: Annotated[int, Field(ge=0, le=10_000)] = 4
    exact: bool = False
    relevant: Grade = 2
    queries: Fraction = 1.0
    validation: Fraction | None = None
    seed: Seed = 42

    @model_validator(mode="after")
    def _one_source(self) -> LabelsConfig:
        if sum(value is not None for value in (self.source, self.docpairs, self.triples)) != 1:
            raise ValueError("expected exactly one of source, docpairs and triples")
        if self.negatives == 0 and self.triples is None:
            raise ValueError("negatives = 0 goes with triples alone; of judgements and docpairs there is 1 at least")
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # What is not chosen is not written, so that results from before there was a choice keep their digests.
        table: dict[str, Any] = handler(self)
        if not self.exact:
            table.pop("exact", None)
        if self.validation is None:
            table.pop("validation", None)
        return table


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
