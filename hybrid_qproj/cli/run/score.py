"""The command evaluate without an experiment: a model or a run on a collection, perhaps against a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hybrid_qproj._util.outputs import check_folder, output_folder, write_together
from hybrid_qproj.cli.run.evaluate import MEASURES as FILE
from hybrid_qproj.cli.run.evaluate import means_and_queries, means_of
from hybrid_qproj.errors import DataError
from hybrid_qproj.estimate import check_runs
from hybrid_qproj.experiments.checks import check_grades, check_runs_of
from hybrid_qproj.loading import load, local_folder
from hybrid_qproj.retrieval.collection import Collection, load_collection
from hybrid_qproj.retrieval.lines import is_file
from hybrid_qproj.retrieval.measures import MEASURES, Run, check_measure, evaluate_run
from hybrid_qproj.retrieval.protocols import DEPTH, Protocol, TestSet, make_test_set, rank
from hybrid_qproj.retrieval.significance import bootstrap_interval, holm, paired_randomization
from hybrid_qproj.retrieval.trec import read_run, write_run
from hybrid_qproj.text.encoders import PRESETS, has_head, load_encoder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

LEAST_QUERIES = 2
"""Of a comparison: one query has no spread."""


@dataclass(frozen=True)
class Difference:
    """A system against a baseline by one measure, on the same queries.

    Args:
        measure: the measure.
        difference: mean over queries.
        low: lower end of its 95 % bootstrap interval over queries.
        high: its upper end.
        p: of the paired randomisation test, two-sided, after Holm's correction over the measures.
    """

    measure: str
    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Scores:
    """What was found.

    Args:
        dataset: name of the collection.
        queries: how many are judged.
        means: system -> measure -> mean over queries; the model first, then the first stage and the baseline.
        differences: of the model from the baseline; empty without one.
        problems: what was left out and why, for people.
    """

    dataset: str
    queries: int
    means: dict[str, dict[str, float]]
    differences: list[Difference] = field(default_factory=list)
    problems: tuple[str, ...] = ()


def run_score(
    model: str,
    dataset: str,
    split: str = "test",
    run: Path | None = None,
    baseline: str | None = None,
    protocol: Protocol | None = None,
    measures: Sequence[str] = MEASURES,
    relevant: int = 1,
    depth: int = DEPTH,
    drop_self: bool | None = None,
    out: Path | None = None,
    batch_size: int = 64,
    quantum_device: str | None = None,
    allow_paid: bool = False,
    ansaetze: Sequence[str] = (),
) -> Scores:
    """Evaluate a model or a run on a collection.

    Args:
        model: folder or hub id of an encoder, with a head or without; a preset; or a TREC run file.
        dataset: a BEIR folder, an id of ir_datasets, or ``"lee"``.
        split: of a BEIR folder.
        run: TREC run whose documents the models order anew.
        baseline: what the model is compared with, of the same kinds.
        protocol: what models rank: ``"rerank"`` with a run, else ``"retrieve"`` unless it is ``"judged"``.
        measures: see `evaluate_run`.
        relevant: least grade that binary measures count.
        depth: documents a query of ``"retrieve"``.
        drop_self: whether the document with a query's own id is left out; None for what the collection says.
        out: folder for the model's run and the measures of every query; None writes nothing.
        batch_size: texts encoded at once.
        quantum_device: device string that replaces the model's saved one.
        allow_paid: whether circuits may run on a device that can cost money.
        ansaetze: your own ones that a head may name; see `hybrid_qproj.load`.

    Returns:
        means, and differences from the baseline.

    Raises:
        DataError: an unknown measure or protocol, no such collection, a malformed file, or fewer than two queries for a
            comparison.
        CheckpointError: there is no such model.
        PaidDeviceError: the device can cost money and is not allowed; seen before anything is encoded.
        OutputError: ``out`` cannot be written.
        LockedError: another process writes there.
    """
    for measure in measures:
        check_measure(measure)
    protocol = protocol or ("rerank" if run else "retrieve")
    if (run is not None) != (protocol == "rerank"):
        raise DataError(f"protocol {protocol!r}: 'rerank' orders the documents of --run anew, the others take no run")
    if baseline == model:
        raise DataError(f"the baseline is {model!r} itself; name another, or leave it out")
    if out is not None:
        check_folder(out, "results of evaluate")
    names = [model, *([baseline] if baseline else [])]
    first = read_run(run) if run else None
    given = {name: read_run(name) for name in names if is_file(name)}
    collection = load_collection(dataset, split)
    if all(name in given for name in names):
        test = _judged_queries(collection, relevant, depth, drop_self)
    else:
        test = make_test_set(collection, protocol, first, relevant, depth, drop_self)
    check_grades(test, measures)
    if baseline is not None and len(test.qrels) < LEAST_QUERIES:
        raise DataError(f"{dataset} has {len(test.qrels)} judged query; a comparison needs {LEAST_QUERIES} at least")
    if out is not None and model not in given:
        check_runs_of([test])
    own: dict[str, Any] = {"quantum_device": quantum_device, "allow_paid": allow_paid}
    # Opened before anything is encoded, so that what is wrong with the second one shows at once.
    opened = {name: _open(name, ansaetze, **(own if name == model else {})) for name in names if name not in given}
    runs = {
        name: rank(opened[name], test, batch_size) if name in opened else _own_left_out(given[name], test)
        for name in names
    }
    if run is not None and first is not None:
        runs.setdefault(str(run), _own_left_out(first, test))
    values = {name: evaluate_run(test.qrels, found, measures, relevant) for name, found in runs.items()}
    differences = compare(values[model], values[baseline]) if baseline else []
    scores = Scores(
        collection.name,
        len(test.qrels),
        {name: means_of(found) for name, found in values.items()},
        differences,
        test.problems,
    )
    if out is not None:
        with output_folder(out, "results of evaluate"):
            found = means_and_queries({collection.name: values[model]})
            write_together(out, {"model.run": partial(write_run, run=runs[model], tag="hybrid-qproj"), FILE: found})
    return scores


def compare(mine: dict[str, dict[str, float]], theirs: dict[str, dict[str, float]], seed: int = 0) -> list[Difference]:
    """Compare two systems query by query.

    Args:
        mine: measure -> query id -> value.
        theirs: of the same queries.
        seed: of the randomisation and the bootstrap.

    Returns:
        a difference a measure.
    """
    found = []
    for measure, values in mine.items():
        other = theirs[measure]
        differences = np.array([values[query] - other[query] for query in values])
        interval = bootstrap_interval(differences, seed=seed)
        found.append((measure, float(differences.mean()), *interval, paired_randomization(values, other, seed)))
    corrected = holm([p for *_, p in found])
    return [Difference(*row[:-1], p) for row, p in zip(found, corrected, strict=True)]


def _open(
    name: str, ansaetze: Sequence[str], quantum_device: str | None = None, allow_paid: bool = False
) -> SentenceTransformer:
    if name in PRESETS:
        return load_encoder(name)
    folder = local_folder(name)
    if not has_head(folder):
        return load_encoder(folder)
    encoder = load(folder, quantum_device=quantum_device, ansaetze=ansaetze, allow_paid=allow_paid)
    check_runs(encoder.head)
    return encoder


def _judged_queries(collection: Collection, relevant: int, depth: int, drop_self: bool | None) -> TestSet:
    """What runs are scored on: nothing is ranked, so no text is read."""
    queries = {query: text for query, text in collection.queries.items() if collection.qrels.get(query)}
    if not queries:
        raise DataError(f"{collection.name} has no query with judgements: nothing can be evaluated; check the split")
    qrels = {query: collection.qrels[query] for query in queries}
    return TestSet(
        collection.name,
        queries,
        qrels,
        None,
        {},
        collection.documents,
        relevant,
        depth,
        collection.problems,
        collection.drop_self if drop_self is None else drop_self,
    )


def _own_left_out(run: Run, test: TestSet) -> Run:
    if not test.drop_self:
        return run
    return {query: {name: score for name, score in found.items() if name != query} for query, found in run.items()}
