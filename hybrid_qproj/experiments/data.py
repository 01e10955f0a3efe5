"""What an experiment trains and is evaluated on: read, checked, and embedded once where the encoder is frozen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hybrid_qproj._util.excerpts import show
from hybrid_qproj.errors import DataError
from hybrid_qproj.experiments.checks import check_tests
from hybrid_qproj.experiments.config import (
    DataConfig,
    ExperimentConfig,
    LabelsConfig,
    TestConfig,
    TextsConfig,
)
from hybrid_qproj.retrieval.collection import Collection, load_collection, read_collection, read_judged
from hybrid_qproj.retrieval.examples import Example, Examples
from hybrid_qproj.retrieval.labelled import docpair_examples, judged_examples, read_examples
from hybrid_qproj.retrieval.protocols import TestSet, make_test_set
from hybrid_qproj.retrieval.trec import read_run
from hybrid_qproj.text.embeddings.cache import EmbeddingCache
from hybrid_qproj.text.embeddings.precomputed import read_precomputed
from hybrid_qproj.text.embeddings.table import EmbeddingTable
from hybrid_qproj.text.encoders import load_encoder
from hybrid_qproj.text.sides import Side, sides_differ

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

TEXTS_AT_ONCE = 1 << 16
"""Texts of a corpus that are in memory at once while it is embedded."""

NORMS_CHECKED = 256
"""Rows of each table whose norms are looked at."""
UNIT_TOLERANCE = 1e-2
"""Difference from 1 of the norms of embeddings in half precision that were normalised."""

Progress = Callable[[str, int, int], None]


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
    """

    width: int
    examples: tuple[Example, ...]
    texts: tuple[str, ...]
    tests: tuple[TestSet, ...]
    dev: TestSet | None
    table: EmbeddingTable | None
    problems: tuple[str, ...]


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
        table = _embed(config, examples.items, texts, [*tests, *([dev] if dev else [])], progress, encoder)
        width = table.get_embedding_dimension()
    else:
        width = int((encoder or open_bare_encoder(config)).get_embedding_dimension() or 0)
    return ExperimentData(width, examples.items, texts, tests, dev, table, tuple(problems))


def read_tests(config: ExperimentConfig) -> tuple[TestSet, ...]:
    """The collections to evaluate on, without their embeddings."""
    return tuple(_test_set(test) for test in config.test)


def open_encoder(config: ExperimentConfig) -> SentenceTransformer:
    """The experiment's encoder, new, as heads stand on it."""
    chosen = config.encoder
    return load_encoder(chosen.source, chosen.pooling, chosen.max_tokens, normalize=chosen.normalize)


def open_bare_encoder(config: ExperimentConfig) -> SentenceTransformer:
    """The experiment's encoder, new, without normalisation: what embeddings are computed with that are kept."""
    return load_encoder(config.encoder.source, config.encoder.pooling, config.encoder.max_tokens)


def _collection(source: DataConfig) -> Collection:
    if source.dataset is not None:
        return load_collection(source.dataset, source.split, source.grades)
    if source.judged is not None:
        return read_judged(source.judged, source.grades, source.local_ids)
    assert source.documents is not None
    return read_collection(source.documents, source.queries, source.qrels, source.grades)


def _examples(labels: LabelsConfig) -> Examples:
    queries, seed, exact = labels.queries, labels.seed, labels.exact
    if labels.triples is not None:
        return read_examples(labels.triples, labels.negatives, queries, seed, exact)
    if labels.docpairs is not None:
        return docpair_examples(labels.docpairs, labels.negatives, queries, seed, exact)
    assert labels.source is not None
    return judged_examples(_collection(labels.source), labels.negatives, labels.relevant, queries, seed, exact)


def _texts(config: TextsConfig) -> tuple[str, ...]:
    collection = _collection(config.source)
    documents = (document.text for document in islice(iter(collection.documents), config.limit))
    # One text more than once would make the head learn that a text is near itself.
    return tuple(dict.fromkeys([*documents, *(collection.queries.values() if config.queries else ())]))


def _test_set(config: TestConfig) -> TestSet:
    run = read_run(config.run) if config.run else None
    collection = _collection(config)
    test = make_test_set(collection, config.protocol, run, config.relevant, config.depth, config.drops_self)
    return replace(test, name=config.name)


def _embed(
    config: ExperimentConfig,
    examples: Sequence[Example],
    texts: Sequence[str],
    tests: Sequence[TestSet],
    progress: Progress,
    encoder: SentenceTransformer | None,
) -> EmbeddingTable:
    """Embeddings computed elsewhere where the configuration names them, the encoder's for all other texts."""
    tables = [_precomputed(path, source) for path, source in named_embeddings(config).items()]
    known = EmbeddingTable.merge(tables) if tables else None
    if known is not None and (queries := _only(known, texts, "query", "document")):
        # Queries among the texts without labels, which are embedded as documents, keep the embedding of the file.
        tables.append(EmbeddingTable.of(queries, known.lookup(queries, "query").numpy(), "document"))
        known = EmbeddingTable.merge(tables)
    cached: dict[Side | None, EmbeddingTable] = {}
    cache = EmbeddingCache(config.encoder.cache)
    for chunk in _chunks(_all_texts(examples, texts, tests)):
        missing: dict[Side | None, list[str]] = {}
        for side, wanted in chunk.items():
            rows = [-1] * len(wanted) if known is None else known.rows(wanted, side).tolist()
            missing[side] = [text for text, row in zip(wanted, rows, strict=True) if row < 0]
        if not any(missing.values()):
            continue
        encoder = encoder or open_bare_encoder(config)
        if not sides_differ(encoder):
            missing = {None: list(chain(*missing.values()))}
        for part, wanted in missing.items():
            cached[part] = cache.encode(
                encoder,
                wanted,
                config.encoder.batch_size,
                lambda done, total: progress("embedding texts", done, total),
                side=part,
                autocast=config.encoder.autocast,
            )
    if not config.encoder.normalize:
        _check_norms(tables, list(cached.values()))
    return EmbeddingTable.merge([*tables, *cached.values()], config.encoder.normalize)


def _check_norms(given: Sequence[EmbeddingTable], encoded: Sequence[EmbeddingTable]) -> None:
    """Refuse embeddings of unit norm beside the encoder's own, which have another: heads would see two scales."""
    mine = [table.norms(NORMS_CHECKED) for table in encoded if len(table)]
    if not mine or np.allclose(np.concatenate(mine), 1.0, atol=UNIT_TOLERANCE):
        return
    for table in given:
        norms = table.norms(NORMS_CHECKED)
        if len(norms) and np.allclose(norms, 1.0, atol=UNIT_TOLERANCE):
            raise DataError(
                "embeddings computed elsewhere have unit norm, those of the encoder for the other texts have a norm of "
                f"{np.median(np.concatenate(mine)):.3g}: give [encoder] normalize = true, which makes all of unit "
                "norm, or a file of embeddings that are not normalised"
            )


def _only(table: EmbeddingTable, texts: Sequence[str], there: Side, missing: Side) -> list[str]:
    """Texts that a table has on one side and not on the other."""
    rows = zip(texts, table.rows(texts, there), table.rows(texts, missing), strict=True)
    return [text for text, has, lacks in rows if has >= 0 and lacks < 0]


def _all_texts(
    examples: Sequence[Example], texts: Sequence[str], tests: Sequence[TestSet]
) -> Iterator[tuple[Side, str]]:
    """Every text with what it is; a text may be both, and come more than once."""
    for example in examples:
        yield "query", example.query
        yield from (("document", text) for text in (example.positive, *example.negatives))
    yield from (("document", text) for text in texts)
    for test in tests:
        for place, text in enumerate(test.all_texts()):
            # The queries come first there.
            yield "query" if place < len(test.queries) else "document", text


def _chunks(texts: Iterator[tuple[Side, str]]) -> Iterator[dict[Side, list[str]]]:
    while chunk := list(islice(texts, TEXTS_AT_ONCE)):
        yield {
            side: list(dict.fromkeys(text for mine, text in chunk if mine == side)) for side in ("query", "document")
        }


def named_embeddings(config: ExperimentConfig) -> dict[Path, list[DataConfig]]:
    """Files of embeddings computed elsewhere, and the collections that name them."""
    sources: list[DataConfig] = [*config.test]
    if config.dev:
        sources.append(config.dev)
    if config.labels and config.labels.source:
        sources.append(config.labels.source)
    if config.texts:
        sources.append(config.texts.source)
    named: dict[Path, list[DataConfig]] = {}
    for source in sources:
        if source.embeddings is not None:
            named.setdefault(source.embeddings, []).append(source)
    return named


def _precomputed(path: Path, sources: Sequence[DataConfig]) -> EmbeddingTable:
    documents: dict[str, str] = {}
    queries: dict[str, str] = {}
    for source in sources:
        collection = _collection(source)
        _join(documents, ((document.id, document.text) for document in collection.documents), path, "document")
        _join(queries, collection.queries.items(), path, "query")
    return read_precomputed(path, documents, queries)


def _join(known: dict[str, str], more: Iterable[tuple[str, str]], path: Path, what: str) -> None:
    """Texts of one more collection whose embeddings are in a file: there, an id stands for one text."""
    for name, text in more:
        if known.setdefault(name, text) != text:
            raise DataError(
                f"{path} is to hold embeddings of several collections, in which {what} {show(name)} has different "
                "texts; give each collection a file of its own"
            )
