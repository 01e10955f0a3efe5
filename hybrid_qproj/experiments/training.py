"""Training the model of a cell: on which of the data, watched by what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hybrid_qproj._util.extras import require
from hybrid_qproj.experiments.build import build_objectives
from hybrid_qproj.experiments.config import ExperimentConfig
from hybrid_qproj.experiments.data import ExperimentData
from hybrid_qproj.experiments.records import Cell
from hybrid_qproj.retrieval.examples import Example, choose_queries, split_queries
from hybrid_qproj.sbert import Encoder
from hybrid_qproj.text.embeddings.table import EmbeddingTable
from hybrid_qproj.training.epochs import Epoch
from hybrid_qproj.training.evaluators import RetrievalEvaluator
from hybrid_qproj.training.objectives import Code
from hybrid_qproj.training.run import train
from hybrid_qproj.training.settings import Losses
from hybrid_qproj.training.watch import EpochWatch

if TYPE_CHECKING:
    from datasets import Dataset

LOOKUP_BATCH = 4096
"""Texts looked up at once: a table costs no memory beside its rows."""


class Trained(NamedTuple):
    """How the training of a cell went.

    Attributes:
        loss: before and after, on the same examples.
        epochs: what was measured after each epoch; None where the experiment asks for nothing of that.
    """

    loss: Losses
    epochs: list[Epoch] | None


def train_cell(
    model: Encoder, cell: Cell, config: ExperimentConfig, data: ExperimentData, folder: Path, keep: bool
) -> Trained:
    """Train a cell's model.

    Args:
        model: changed in place.
        cell: the cell.
        config: the experiment.
        data: its data.
        folder: of checkpoints.
        keep: whether there are checkpoints, from which an interrupted run goes on.

    Returns:
        how it went.

    Raises:
        DataError: there are fewer labelled queries than the cell trains on and holds out.
    """
    objectives = build_objectives(config.heads[cell.head], config.objectives[cell.objective])
    datasets = {}
    validation: list[Example] = []
    if "labels" in objectives:
        chosen, validation = _examples(cell, config, data)
        datasets["labels"] = _dataset(_columns(chosen))
    if "texts" in objectives:
        datasets["texts"] = _dataset({"text": list(data.texts)})
    size = batch_size(model, config)
    evaluator = RetrievalEvaluator(data.dev, config.measures, size) if data.dev else None
    watch = None
    if config.each_epoch or validation:
        tests = data.tests if config.each_epoch else ()
        watch = EpochWatch(tests, config.measures, _columns(validation) if validation else {}, size)
    settings = config.settings(cell.head, cell.objective, cell.k)
    codec = config.heads[cell.head].codec
    code = Code(codec.scheme, cell.k, codec.score) if codec is not None and codec.train else None
    loss = train(model, datasets, objectives, settings, folder, cell.seed, evaluator, keep, watch, code)
    return Trained(loss, None if watch is None else watch.epochs)


def batch_size(model: Encoder, config: ExperimentConfig) -> int:
    """Texts that a model encodes at once."""
    return LOOKUP_BATCH if isinstance(model[0], EmbeddingTable) else config.encoder.batch_size


def _examples(cell: Cell, config: ExperimentConfig, data: ExperimentData) -> tuple[list[Example], list[Example]]:
    """Labelled examples to train on, and those held out."""
    queries = cell.queries if cell.queries is not None else 1.0
    held_out = config.labels.validation if config.labels else None
    if held_out is None:
        return choose_queries(data.examples, queries, cell.seed), []
    return split_queries(data.examples, queries, held_out, cell.seed)


def _columns(examples: Sequence[Example]) -> dict[str, list[str]]:
    columns = {"query": [e.query for e in examples], "positive": [e.positive for e in examples]}
    negatives = min((len(e.negatives) for e in examples), default=0)
    for number in range(negatives):
        columns[f"negative_{number + 1}"] = [e.negatives[number] for e in examples]
    return columns


def _dataset(columns: Mapping[str, list[str]]) -> Dataset:
    return require("datasets", "train", "training").Dataset.from_dict(dict(columns))
