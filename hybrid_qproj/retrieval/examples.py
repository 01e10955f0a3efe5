"""Labelled training examples: a query, a passage that answers it, and passages that do not (hard negatives)."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hybrid_qproj._util.excerpts import show
from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval.collection import Collection
from hybrid_qproj.retrieval.datasets import IrDocuments, dataset_queries, open_dataset, read_all
from hybrid_qproj.retrieval.problems import missing_texts
from hybrid_qproj.retrieval.triples import read_triples


class Example(NamedTuple):
    """Texts of a training example."""

    query: str
    positive: str
    negatives: tuple[str, ...]


@dataclass(frozen=True)
class Examples:
    """Training examples.

    Args:
        items: the examples.
        problems: what was left out and why, counted, for people.
    """

    items: tuple[Example, ...]
    problems: tuple[str, ...]


def choose(names: Iterable[str], queries: float, seed: int) -> list[str]:
    """Some of the queries: the first ones of one random order, so that fewer are among more.

    Args:
        names: all queries, each once.
        queries: how many (an integer), or what share of them (a float in (0, 1]), at least one.
        seed: of the order.

    Returns:
        the chosen ones.

    Raises:
        DataError: there are fewer queries than asked for.
    """
    order = sorted(names)
    random.Random(seed).shuffle(order)  # noqa: S311 - no secret
    if isinstance(queries, bool) or (isinstance(queries, float) and not 0 < queries <= 1):
        raise DataError(f"{queries} training queries: expected a whole number, or a share in (0, 1] such as 0.5")
    wanted = queries if isinstance(queries, int) else max(1, round(queries * len(order)))
    if not 1 <= wanted <= len(order):
        raise DataError(f"{queries} training queries were asked for; there are {len(order)}")
    return order[: int(wanted)]


def choose_queries(examples: Sequence[Example], queries: float, seed: int) -> list[Example]:
    """The examples of some of the queries; see `choose`.

    Args:
        examples: all examples.
        queries: how many queries, or what share of them.
        seed: of the choice.

    Returns:
        all examples of the chosen queries, in their order.

    Raises:
        DataError: there are fewer queries than asked for.
    """
    chosen = set(choose({example.query for example in examples}, queries, seed))
    return [example for example in examples if example.query in chosen]


def read_examples(path: str | Path, negatives: int, queries: float = 1.0, seed: int = 0) -> Examples:
    """Read triples of texts: TSV of query, positive, negative; or JSONL of query, positive, negatives (a list).

    Lines of the same query and positive are one example with the negatives of all of them. The file is read twice, the
    second time for the chosen queries alone, so that a file of millions of lines need not fit into memory.

    Args:
        path: .tsv or .jsonl, perhaps with ``.gz``.
        negatives: hard negatives kept of each example; examples with fewer are left out.
        queries: how many of the queries, or what share of them; see `choose`.
        seed: of the choice of queries.

    Returns:
        the examples.

    Raises:
        DataError: a malformed line, nothing left, or fewer queries than asked for.
    """
    every = {query for query, _, _ in read_triples(path)}
    if not every:
        raise DataError(f"{path} gives no training example: it is empty")
    chosen = set(choose(every, queries, seed))
    found: dict[tuple[str, str], dict[str, None]] = {}
    for query, positive, rest in read_triples(path):
        if query in chosen:
            known = found.setdefault((query, positive), {})
            for text in rest:
                if len(known) == negatives:
                    break
                known[text] = None
    items = [Example(*pair, tuple(rest)) for pair, rest in found.items() if len(rest) == negatives]
    short = len(found) - len(items)
    problems = [f"{short} of {len(found)} examples have fewer than {negatives} negatives"] * (short > 0)
    return _some(Path(path).name, items, problems)


def judged_examples(
    collection: Collection, negatives: int, relevant: int = 2, queries: float = 1.0, seed: int = 0
) -> Examples:
    """Examples from graded judgements: each relevant document of a query is a positive.

    Its negatives are drawn from the documents judged lower for the same query, none twice. Where those are too few,
    the rest are documents judged for other queries and not for this one.

    Args:
        collection: the collection.
        negatives: hard negatives of each example.
        relevant: least grade of a positive.
        queries: how many of the queries that have a positive, or what share of them; see `choose`.
        seed: of the choice of queries and negatives.

    Returns:
        the examples.

    Raises:
        DataError: nothing left, or fewer queries than asked for.
    """
    judged = {q: grades for q, grades in collection.qrels.items() if q in collection.queries}
    answered = [q for q, grades in judged.items() if max(grades.values(), default=0) >= relevant]
    problems = []
    if len(answered) < len(judged):
        problems.append(
            f"{len(judged) - len(answered)} of {len(judged)} judged queries have no document of grade {relevant}"
        )
    chosen = choose(answered, queries, seed) if answered else []
    named = {document for query in chosen for document in judged[query]}
    texts = collection.documents.get(named)
    problems += missing_texts("judged documents", named, texts)
    pool = sorted(texts)
    draw = random.Random(seed)  # noqa: S311 - no secret
    items = []
    for query in sorted(chosen):
        grades = {document: grade for document, grade in judged[query].items() if document in texts}
        others = [document for document in pool if document not in judged[query]]
        for positive, grade in grades.items():
            if grade < relevant:
                continue
            lower = [document for document, other in grades.items() if other < grade]
            names = draw.sample(lower, min(negatives, len(lower)))
            short = negatives - len(names)
            if short > len(others):
                problems.append(f"an example of query {query} has too few negatives and is left out")
                continue
            names += draw.sample(others, short)
            items.append(Example(collection.queries[query], texts[positive], tuple(texts[name] for name in names)))
    return _some(collection.name, items, problems)


def docpair_examples(dataset_id: str, negatives: int, queries: float = 1.0, seed: int = 0) -> Examples:
    """Examples from a dataset's pairs of a relevant and another document, such as MS MARCO's training triples.

    The pairs are streamed: what is in memory are the chosen queries and the ids of their documents.

    Args:
        dataset_id: of ir_datasets, with queries and docpairs, such as "msmarco-passage/train/triples-small".
        negatives: hard negatives of each example; queries with fewer are left out.
        queries: how many of the queries, or what share of them; see `choose`.
        seed: of the choice of queries.

    Returns:
        the examples: of each query its first positive, with the first negatives that stand beside it.

    Raises:
        DataError: the dataset has no docpairs, nothing is left, or there are fewer queries than asked for.
    """
    dataset = open_dataset(dataset_id)
    if not dataset.has_docpairs():
        raise DataError(f"{dataset_id} has no docpairs; expected one such as msmarco-passage/train/triples-small")
    texts = dataset_queries(dataset_id, dataset)
    judged = (
        {row.query_id for row in read_all(dataset_id, "judgements", dataset.qrels_iter)}
        if dataset.has_qrels()
        else texts.keys()
    )
    chosen = choose(texts.keys() & judged, queries, seed)
    positive: dict[str, str] = {}
    found: dict[str, dict[str, None]] = {query: {} for query in chosen}
    missing = set(chosen)
    for pair in read_all(dataset_id, "docpairs", dataset.docpairs_iter):
        query = pair.query_id
        if query in missing and pair.doc_id_a == pair.doc_id_b:
            raise DataError(
                f"{dataset_id}: document {show(pair.doc_id_a)} both answers query {show(query)} and does not; a "
                "pair has one grade"
            )
        if query in missing and positive.setdefault(query, pair.doc_id_a) == pair.doc_id_a:
            found[query][pair.doc_id_b] = None
            if len(found[query]) == negatives:
                missing.remove(query)
                if not missing:
                    break
    whole = [query for query in chosen if query not in missing]
    problems = [f"{len(missing)} of {len(chosen)} queries have fewer than {negatives} negatives"] * bool(missing)
    documents = IrDocuments(dataset_id).get(name for query in whole for name in (positive[query], *found[query]))
    items = []
    for query in whole:
        names = (positive[query], *found[query])
        if all(name in documents for name in names):
            first, *rest = (documents[name] for name in names)
            items.append(Example(texts[query], first, tuple(rest)))
    if len(items) < len(whole):
        problems.append(f"{len(whole) - len(items)} of {len(whole)} queries name documents without text")
    return _some(dataset_id, items, problems)


def _some(name: str, items: Sequence[Example], problems: Sequence[str]) -> Examples:
    if not items:
        raise DataError(f"{name} gives no training example: {'; '.join(problems) or 'it is empty'}")
    return Examples(tuple(items), tuple(problems))
