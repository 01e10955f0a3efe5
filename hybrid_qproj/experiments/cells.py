"""One cell of the grid: build a head, fit or train it, evaluate it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from hybrid_qproj.experiments.build import (
    FLOAT32,
    build_head,
    build_objectives,
    fit_head,
    is_fitted,
    is_random,
    numbers_of,
    sizes_of,
)
from hybrid_qproj.experiments.coded import check_bytes, code
from hybrid_qproj.experiments.config import ConfigError, ExperimentConfig
from hybrid_qproj.experiments.data import ExperimentData
from hybrid_qproj.experiments.embed import open_encoder
from hybrid_qproj.experiments.manifest import with_contents
from hybrid_qproj.experiments.records import Cell, Histogram, Record, name_layers
from hybrid_qproj.experiments.training import Trained, batch_size, train_cell
from hybrid_qproj.heads.base import Head
from hybrid_qproj.heads.linear import stored_numbers, trainable_parameters
from hybrid_qproj.retrieval.measures import Run, evaluate_run
from hybrid_qproj.retrieval.protocols import TestSet, rank
from hybrid_qproj.sbert import Encoder, ProjectionHead, with_head
from hybrid_qproj.similarity.fidelity import LOGARITHMIC
from hybrid_qproj.text.embeddings.table import EmbeddingTable
from hybrid_qproj.text.encoders import set_trainable
from hybrid_qproj.text.resetting import reset_layers
from hybrid_qproj.training.settings import ENCODER_RATE

BINS = 20


def cells(config: ExperimentConfig, width: int) -> list[Cell]:
    """All cells of an experiment: one seed where others would change nothing.

    Args:
        config: the experiment.
        width: d.

    Returns:
        the cells, in the order of the configuration.

    Raises:
        ConfigError: a head cannot be built, or is fitted and asked to stand on an encoder that trains; its codec cannot
            give a size; an objective does not take its keywords; there is nothing to train for; two cells would have
            one name.
        MissingExtraError: a codec needs FAISS, which is not installed.
    """
    found = []
    for layers in config.encoder.layers:
        for name, table in config.heads.items():
            seeds = config.all_seeds[: table.seeds]
            for k in sizes_of(config, name, width):
                head = build_head(config, name, width, numbers_of(config, name, width, k))
                check_bytes(config, name, head, k)
                if is_fitted(config, name) and layers != 0:
                    which = f"{layers} layers" if isinstance(layers, int) else f"layers {name_layers(layers)}"
                    raise ConfigError(f"head {name!r} is fitted to frozen embeddings; it cannot train {which}")
                if trainable_parameters(head) == 0 and layers == 0:
                    found += [
                        Cell(name, k, "", None, layers, s) for s in (seeds if is_random(config, name) else seeds[:1])
                    ]
                    continue
                if not config.objectives:
                    raise ConfigError(f"head {name!r} trains, but the experiment has no [objectives.NAME] to train for")
                for objective, aim in config.objectives.items():
                    if objective not in (table.objectives or config.objectives):
                        continue
                    build_objectives(table, aim)
                    fractions = config.fractions if aim.labels is not None else (None,)
                    found += [
                        Cell(name, k, objective, fraction, layers, seed) for fraction in fractions for seed in seeds
                    ]
    _check_names(found)
    return found


def _check_names(cells: Sequence[Cell]) -> None:
    """Refuse cells of which one's record would overwrite another's."""
    names: dict[str, Cell] = {}
    for cell in cells:
        if (other := names.setdefault(cell.name, cell)) is not cell:
            raise ConfigError(
                f"heads or objectives {cell.head!r}, {cell.objective!r} and {other.head!r}, {other.objective!r} would "
                f"share the file {cell.name!r}: give them names that differ in more than spaces and signs"
            )


def digest(cell: Cell, config: ExperimentConfig) -> str:
    """What determines a cell's result, as a short hash: a record with another one is of another experiment."""
    wanted = {"encoder", "labels", "texts", "dev", "test", "training", "measures"}
    parts = with_contents(config.model_dump(include=wanted, exclude={"encoder": {"cache"}}))
    # Not part of the result: what else is compared, and how fast.
    for key in ("layers", "batch_size"):
        del parts["encoder"][key]
    head = config.heads[cell.head]
    parts["head"] = head.model_dump(mode="json", exclude={"sizes", "objectives", "training_at", "k", "seeds"})
    if head.k is not None:
        parts["head"]["k"] = head.k[cell.k] if isinstance(head.k, dict) else head.k
    if config.sizes_in == "bytes":
        parts["sizes_in"] = "bytes"
    if cell.k in head.training_at:
        parts["head"]["training_at"] = head.training_at[cell.k]
    if head.parameters_of:
        parts["like"] = config.heads[head.parameters_of].model_dump(mode="json", include={"kind", "args"})
    if parts["training"]["learning_rate"] is None and (
        not cell.objective or config.settings(cell.head, cell.objective, cell.k).learning_rate is not None
    ):
        # Nothing depends on the default: records from when it was this one stay valid.
        parts["training"]["learning_rate"] = ENCODER_RATE
    if cell.objective:
        parts["objective"] = config.objectives[cell.objective].model_dump(mode="json")
        if config.each_epoch:
            parts["each_epoch"] = True
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def build_model(cell: Cell, config: ExperimentConfig, data: ExperimentData, allow_paid: bool = False) -> Encoder:
    """The model of a cell, not yet trained: its head fitted if it wants to be, on table or encoder."""
    k = numbers_of(config, cell.head, data.width, cell.k)
    if is_fitted(config, cell.head):
        if data.table is None or not data.texts:
            raise ConfigError(f"head {cell.head!r} is fitted to unlabelled texts, but the experiment has no [texts]")
        head = _fitted(cell, config, data, k, allow_paid)
    else:
        head = build_head(config, cell.head, data.width, k, cell.seed, allow_paid)
    if cell.layers == 0:
        assert data.table is not None
        return Encoder(modules=[data.table, ProjectionHead(head)], device="cpu")
    encoder = open_encoder(config)
    if config.encoder.reset:
        reset_layers(encoder, config.encoder.reset, cell.seed)
    set_trainable(encoder, cell.layers)
    return with_head(encoder, head)


def _fitted(cell: Cell, config: ExperimentConfig, data: ExperimentData, k: int, allow_paid: bool) -> Head:
    """A cell's fitted head: that of the last cell, where only the bytes differ that its codec makes of outputs."""
    assert data.table is not None
    chosen = config.heads[cell.head]
    # What trains is changed by that, and a device may draw.
    alone = chosen.codec is None or chosen.tune or "device" in chosen.args
    table = chosen.model_dump(mode="json", include={"kind", "args", "fit", "sample"})
    key = json.dumps([table, k, cell.seed], sort_keys=True)
    if not alone and key in data.fits:
        return data.fits[key]
    head = fit_head(config, cell.head, k, data.table.lookup(data.texts, "document"), cell.seed, allow_paid)
    data.fits.clear()
    if not alone:
        data.fits[key] = head
    return head


def run_cell(
    cell: Cell, config: ExperimentConfig, data: ExperimentData, work: Path, allow_paid: bool = False
) -> Record:
    """Run a cell from start to end, or go on with one that was interrupted.

    Args:
        cell: the cell.
        config: the experiment.
        data: its data.
        work: folder for checkpoints of cells that take long; the cell's own is gone when it is done.
        allow_paid: whether its head's device may be one that can cost money.

    Returns:
        the record.
    """
    model, trained = make_model(cell, config, data, work / cell.name, allow_paid)
    size = batch_size(model, config)
    coded = code(model, cell, config, data, size)
    runs = {test.name: rank(coded or model, test, size) for test in data.tests}
    similarity = model.head.similarity if coded is None else coded.codec.score
    record = Record(
        cell=cell,
        digest=digest(cell, config),
        parameters=trainable_parameters(model.head) if cell.objective else 0,
        stored=stored_numbers(model.head) + (0 if coded is None else coded.codec.stored_numbers),
        bytes_per_document=FLOAT32 * int(model.get_embedding_dimension() or 0) if coded is None else coded.codec.bytes,
        loss=None if trained is None else trained.loss,
        measures={
            test.name: evaluate_run(test.qrels, runs[test.name], config.measures, test.relevant) for test in data.tests
        },
        histograms={test.name: histogram(similarity, test, runs[test.name]) for test in data.tests},
        epochs=None if trained is None else trained.epochs,
        sizes_in=config.sizes_in,
    )
    shutil.rmtree(work / cell.name, ignore_errors=True)
    return record


def make_model(
    cell: Cell, config: ExperimentConfig, data: ExperimentData, folder: Path, allow_paid: bool = False
) -> tuple[Encoder, Trained | None]:
    """The model of a cell: built, fitted or trained, in eval mode.

    Args:
        cell: the cell.
        config: the experiment.
        data: its data.
        folder: for checkpoints, where the cell takes long.
        allow_paid: whether its head's device may be one that can cost money.

    Returns:
        the model, and how its training went where something is trained.
    """
    torch.manual_seed(cell.seed)  # dropout
    model = build_model(cell, config, data, allow_paid)
    if not cell.objective:
        return model.eval(), None
    # Cells on a table take seconds: writing checkpoints would take longer than running them again. But of the steps
    # of a run, one can be chosen only if it was saved.
    chosen = data.dev is not None or config.settings(cell.head, cell.objective, cell.k).held_out > 0
    return model, train_cell(model, cell, config, data, folder, keep=cell.layers != 0 or chosen)


def on_encoder(model: Encoder, config: ExperimentConfig) -> Encoder:
    """A cell's model as it is saved: its head on the encoder, where a table of embeddings stood for that."""
    return with_head(open_encoder(config), model.head) if isinstance(model[0], EmbeddingTable) else model


def histogram(similarity: str, test: TestSet, run: Run) -> Histogram:
    """How a head's similarities of relevant and of other pairs are distributed.

    Args:
        similarity: the head's, or the score of its codec; log-fidelities are shown as fidelities.
        test: says what is relevant.
        run: the similarities.

    Returns:
        counts over [0, 1] for fidelities, [-1, 1] for cosines.
    """
    bounded = similarity in LOGARITHMIC
    groups: Mapping[bool, list[float]] = {True: [], False: []}
    for query, scores in run.items():
        for document, score in scores.items():
            groups[test.qrels[query].get(document, 0) >= test.relevant].append(score)
    values = {relevant: np.exp(scores) if bounded else np.asarray(scores) for relevant, scores in groups.items()}
    edges = np.linspace(0.0 if bounded else -1.0, 1.0, BINS + 1)
    # Rounding may leave a cosine of equal vectors just above 1.
    counts = {relevant: np.histogram(np.clip(v, edges[0], 1.0), edges)[0].tolist() for relevant, v in values.items()}
    return Histogram(edges.tolist(), counts[True], counts[False], "fidelity" if bounded else "cosine")
