"""Where labelled training examples come from: files of triples, graded judgements, and pairs of ir_datasets."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hybrid_qproj._util.excerpts import show
from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval.collection import Collection
from hybrid_qproj.retrieval.datasets import IrDocuments, dataset_queries, open_dataset, read_all
from hybrid_qproj.retrieval.examples import Example, Examples, choose, some_examples
from hybrid_qproj.retrieval.problems import missing_texts
from hybrid_qproj.retrieval.triples import read_triples


def read_examples(
    path: str | Path, negatives: int, queries: float = 1.0, seed: int = 0, exact: bool = False
) -> Examples:
    """Read triples of texts: TSV of query, positive, negative; or JSONL of query, positive, negatives (a list).

    Lines of the same query and positive are one example with the negatives of all of them. The file is read twice, the
    second time for the chosen queries alone, so that a file of millions of lines need not fit into memory.

    Args:
        path: .tsv or .jsonl, perhaps with ``.gz``.
        negatives: hard negatives kept of each example; examples with fewer are left out.
        queries: how many of the queries, or what share of them; see `choose`.
        seed: of the choice of queries.
        exact: whether examples with more negatives are left out too; queries are then chosen among those that have an
            example.

    Returns:
        the examples.

    Raises:
        DataError: a malformed line, nothing left, or fewer queries than asked for.
    """
    every = {query for query, _, _ in read_triples(path)}
    if not every:
        raise DataError(f"{path} gives no training example: it is empty")
    problems = []
    if exact:
        whole = _with_exactly(path, negatives)
        if len(whole) < len(every):
            problems.append(f"{len(every) - len(whole)} of {len(every)} queries do not have {negatives} negatives")
        every = whole
    chosen = set(choose(every, queries, seed)) if every else set()
    found: dict[tuple[str, str], dict[str, None]] = {}
    for query, positive, rest in read_triples(path):
        if query in chosen:
            known = found.setdefault((query, positive), {})
            for text in rest:
                # One more shows that there are more.
                if len(known) == negatives + exact:
                    break
                known[text] = None
    items = [Example(*pair, tuple(rest)) for pair, rest in found.items() if len(rest) == negatives]
    short = len(found) - len(items)
    wrong = f"do not have exactly {negatives}" if exact else f"have fewer than {negatives}"
    problems += [f"{short} of {len(found)} examples {wrong} negatives"] * (short > 0)
    return some_examples(Path(path).name, items, problems)


def _with_exactly(path: str | Path, negatives: int) -> set[str]:
    """Queries with an example of exactly so many negatives."""
    counted: dict[tuple[str, str], set[int]] = {}
    for query, positive, rest in read_triples(path):
        known = counted.setdefault((query, positive), set())
        if len(known) <= negatives:
            # Not the texts, which are many.
            known.update(map(hash, rest))
    return {query for (query, _), known in counted.items() if len(known) == negatives}


def judged_examples(
    collection: Collection,
    negatives: int,
    relevant: int = 2,
    queries: float = 1.0,
    seed: int = 0,
    exact: bool = False,
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
        exact: whether only positives with exactly so many documents judged lower count, which are then the negatives.

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
    if exact:
        whole = [
            query
            for query in answered
            if any(len(lower) == negatives for _, lower in _positives(judged[query], relevant))
        ]
        if len(whole) < len(answered):
            problems.append(
                f"{len(answered) - len(whole)} of {len(answered)} queries do not have {negatives} negatives"
            )
        answered = whole
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
        for positive, lower in _positives(grades, relevant):
            if exact and len(lower) != negatives:
                continue
            names = draw.sample(lower, min(negatives, len(lower)))
            short = negatives - len(names)
            if short > len(others):
                problems.append(f"an example of query {query} has too few negatives and is left out")
                continue
            names += draw.sample(others, short)
            items.append(Example(collection.queries[query], texts[positive], tuple(texts[name] for name in names)))
    return some_examples(collection.name, items, problems)


def _positives(grades: Mapping[str, int], relevant: int) -> list[tuple[str, list[str]]]:
    """Relevant documents of a query, each with those that are judged lower."""
    return [
        (positive, [document for document, other in grades.items() if other < grade])
        for positive, grade in grades.items()
        if grade >= relevant
    ]


def docpair_examples(
    dataset_id: str, negatives: int, queries: float = 1.0, seed: int = 0, exact: bool = False
) -> Examples:
    """Examples from a dataset's pairs of a relevant and another document, such as MS MARCO's training triples.

    The pairs are streamed: what is in memory are the chosen queries and the ids of their documents.

    Args:
        dataset_id: of ir_datasets, with queries and docpairs, such as "msmarco-passage/train/triples-small".
        negatives: hard negatives of each example; queries with fewer are left out.
        queries: how many of the queries, or what share of them; see `choose`.
        seed: of the choice of queries.
        exact: whether queries with more negatives are left out too; queries are then chosen among those that are not.

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
    known = texts.keys() & judged
    wanted = sorted(known) if exact else choose(known, queries, seed)
    # One more shows that there are more.
    positive, found = _pairs_of(dataset_id, dataset, wanted, negatives + exact)
    whole = [query for query in wanted if len(found.get(query, ())) == negatives]
    wrong = f"do not have exactly {negatives}" if exact else f"have fewer than {negatives}"
    problems = [f"{len(wanted) - len(whole)} of {len(wanted)} queries {wrong} negatives"] * (len(whole) < len(wanted))
    if exact and whole:
        whole = choose(whole, queries, seed)
    documents = IrDocuments(dataset_id).get(name for query in whole for name in (positive[query], *found[query]))
    items = []
    for query in whole:
        names = (positive[query], *found[query])
        if all(name in documents for name in names):
            first, *rest = (documents[name] for name in names)
            items.append(Example(texts[query], first, tuple(rest)))
    if len(items) < len(whole):
        problems.append(f"{len(whole) - len(items)} of {len(whole)} queries name documents without text")
    return some_examples(dataset_id, items, problems)


def _pairs_of(
    dataset_id: str, dataset: Any, wanted: Iterable[str], most: int
) -> tuple[dict[str, str], dict[str, dict[str, None]]]:
    """The first positive of each query, and up to so many documents that stand beside it, by their ids."""
    positive: dict[str, str] = {}
    found: dict[str, dict[str, None]] = {}
    missing = set(wanted)
    for pair in read_all(dataset_id, "docpairs", dataset.docpairs_iter):
        query = pair.query_id
        if query in missing and pair.doc_id_a == pair.doc_id_b:
            raise DataError(
                f"{dataset_id}: document {show(pair.doc_id_a)} both answers query {show(query)} and does not; a "
                "pair has one grade"
            )
        if query in missing and positive.setdefault(query, pair.doc_id_a) == pair.doc_id_a:
            beside = found.setdefault(query, {})
            beside[pair.doc_id_b] = None
            if len(beside) == most:
                missing.remove(query)
                if not missing:
                    break
    return positive, found
