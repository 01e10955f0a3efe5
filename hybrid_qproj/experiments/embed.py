"""An experiment's texts as embeddings: computed elsewhere where it says so, by its frozen encoder where not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hybrid_qproj._util.excerpts import show
from hybrid_qproj.errors import DataError
from hybrid_qproj.experiments.config import DataConfig, ExperimentConfig
from hybrid_qproj.experiments.sources import read_source
from hybrid_qproj.retrieval.examples import Example
from hybrid_qproj.retrieval.protocols import TestSet
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


def open_encoder(config: ExperimentConfig) -> SentenceTransformer:
    """The experiment's encoder, new, as heads stand on it."""
    chosen = config.encoder
    return load_encoder(chosen.source, chosen.pooling, chosen.max_tokens, normalize=chosen.normalize)


def open_bare_encoder(config: ExperimentConfig) -> SentenceTransformer:
    """The experiment's encoder, new, without normalisation: what embeddings are computed with that are kept."""
    return load_encoder(config.encoder.source, config.encoder.pooling, config.encoder.max_tokens)


def embed(
    config: ExperimentConfig,
    examples: Sequence[Example],
    texts: Sequence[str],
    tests: Sequence[TestSet],
    progress: Progress,
    encoder: SentenceTransformer | None,
) -> EmbeddingTable:
    """Embeddings computed elsewhere where the configuration names them, the encoder's for all other texts.

    Args:
        config: the experiment.
        examples: labelled training examples.
        texts: unlabelled ones.
        tests: what is evaluated on.
        progress: called with what is going on, how much of it is done, and the total.
        encoder: the experiment's without normalisation, where it is open already.

    Returns:
        a table of all texts.

    Raises:
        DataError: embeddings computed elsewhere cannot be joined with their texts, or have another scale.
        CacheError: the cache is damaged or cannot be written.
    """
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
        collection = read_source(source)
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
