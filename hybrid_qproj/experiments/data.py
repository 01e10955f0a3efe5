"""What an experiment trains and is evaluated on: read, checked, and embedded once where the encoder is frozen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from hybrid_qproj.experiments.checks import check_tests
from hybrid_qproj.experiments.config import ExperimentConfig, LabelsConfig, TestConfig, TextsConfig
from hybrid_qproj.experiments.embed import Progress, embed, open_bare_encoder
from hybrid_qproj.experiments.sources import read_source
from hybrid_qproj.heads.base import Head
from hybrid_qproj.retrieval.examples import Example, Examples
from hybrid_qproj.retrieval.labelled import docpair_examples, judged_examples, read_examples
from hybrid_qproj.retrieval.protocols import TestSet, make_test_set
from hybrid_qproj.retrieval.trec import read_run
from hybrid_qproj.text.embeddings.table import EmbeddingTable

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@dataclass(frozen=True)
class ExperimentData:
    """Everything that the cells of an experiment share.

    Args:
        width: d of the encoder's embeddings.
        examples: labelled training examples.
        texts: unlabelled training texts.
        tests: what to evaluate on.
        dev: what chooses the best epoch.
        table: embeddings of all texts by the frozen encoder; None if no cell wants them.
        problems: what was left out and why, for people.
        fits: the head that was fitted last, by what it was fitted with: codecs of several sizes share it.
    """

    width: int
    examples: tuple[Example, ...]
    texts: tuple[str, ...]
    tests: tuple[TestSet, ...]
    dev: TestSet | None
    table: EmbeddingTable | None
    problems: tuple[str, ...]
    fits: dict[str, Head] = field(default_factory=dict, compare=False)


def read_data(
    config: ExperimentConfig,
    progress: Progress = lambda what, done, total: None,
    encoder: SentenceTransformer | None = None,
) -> ExperimentData:
    """Read an experiment's data; embed it where the encoder is frozen.

    Args:
        config: the experiment.
        progress: called with what is going on, how much of it is done, and the total.
        encoder: the experiment's without normalisation, where it is open already.

    Returns:
        the data. Reading again gives the same; embeddings come from the cache then.

    Raises:
        DataError: a file is malformed, or nothing is left of a collection.
        ConfigError: a collection cannot give the numbers that are asked for.
        CacheError: the cache is damaged or cannot be written.
        ValueError: the encoder cannot be loaded.
    """
    examples = _examples(config.labels) if config.labels else Examples((), ())
    texts = _texts(config.texts) if config.texts else ()
    tests = read_tests(config)
    dev = _test_set(config.dev) if config.dev else None
    check_tests(config, tests)
    problems = [*(f"training: {problem}" for problem in examples.problems)]
    for test in (*tests, *([dev] if dev else [])):
        problems += [f"{test.name}: {problem}" for problem in test.problems]
    table = None
    if 0 in config.encoder.layers:
        table = embed(config, examples.items, texts, [*tests, *([dev] if dev else [])], progress, encoder)
        width = table.get_embedding_dimension()
    else:
        width = int((encoder or open_bare_encoder(config)).get_embedding_dimension() or 0)
    return ExperimentData(width, examples.items, texts, tests, dev, table, tuple(problems))


def read_tests(config: ExperimentConfig) -> tuple[TestSet, ...]:
    """The collections to evaluate on, without their embeddings."""
    return tuple(_test_set(test) for test in config.test)


def _examples(labels: LabelsConfig) -> Examples:
    queries, seed, exact = labels.queries, labels.seed, labels.exact
    if labels.triples is not None:
        return read_examples(labels.triples, labels.negatives, queries, seed, exact)
    if labels.docpairs is not None:
        return docpair_examples(labels.docpairs, labels.negatives, queries, seed, exact)
    assert labels.source is not None
    return judged_examples(read_source(labels.source), labels.negatives, labels.relevant, queries, seed, exact)


def _texts(config: TextsConfig) -> tuple[str, ...]:
    collection = read_source(config.source)
    documents = (document.text for document in islice(iter(collection.documents), config.limit))
    # One text more than once would make the head learn that a text is near itself.
    return tuple(dict.fromkeys([*documents, *(collection.queries.values() if config.queries else ())]))


def _test_set(config: TestConfig) -> TestSet:
    run = read_run(config.run) if config.run else None
    collection = read_source(config)
    test = make_test_set(collection, config.protocol, run, config.relevant, config.depth, config.drops_self)
    return replace(test, name=config.name)
