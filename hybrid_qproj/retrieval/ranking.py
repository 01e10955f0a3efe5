"""The order in which trec_eval ranks documents: by score in single precision, equal scores by descending id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from hybrid_qproj.errors import DataError
from hybrid_qproj.retrieval.rules import single
from hybrid_qproj.retrieval.unique import ONE_ID, SeenIds, refuse_twice


def trec_order(scores: Mapping[str, float]) -> list[str]:
    """Documents as trec_eval ranks them.

    Args:
        scores: document id -> score; finite.

    Returns:
        the ids, best first.

    Examples:
        >>> trec_order({"a": 1.0, "b": 1.00000001, "c": 2.0})
        ['c', 'b', 'a']
        >>> trec_order({"a": 1.00000001, "b": 1.0, "c": 2.0})
        ['c', 'b', 'a']
    """
    return sorted(scores, key=lambda name: (single(float(scores[name])), name), reverse=True)


class BestDocuments:
    """The best documents of each query in trec_eval's order, while scores come in chunks of documents.

    Args:
        queries: number of queries.
        depth: documents kept for each.

    Attributes:
        names: ids of all documents so far.
        scores: (queries, at most depth), float32, best first.
        positions: of the documents in ``names``, int64, same shape.
    """

    def __init__(self, queries: int, depth: int) -> None:
        self._depth = depth
        self._seen = SeenIds()
        self.names: list[str] = []
        self.scores = torch.empty((queries, 0))
        self.positions = torch.empty((queries, 0), dtype=torch.long)

    def add(self, names: Sequence[str], scores: Tensor) -> None:
        """Take in the next documents.

        Args:
            names: their ids, none of which came before.
            scores: (queries, documents), higher is better.

        Raises:
            DataError: a score is not finite, or an id came before: `finish` notices those that are missed here.
        """
        if not bool(torch.isfinite(scores).all()):
            raise DataError(f"{int((~torch.isfinite(scores)).sum())} scores are not finite; a ranking needs numbers")
        scores = scores.detach().float()
        least = scores.topk(min(self._depth, len(names)), dim=1).values[:, -1:]
        # Everything that could be among the best, all ties at the end too: which of them stay is decided by their ids.
        among = scores >= least
        values = scores[among].cpu().numpy()
        columns = among.nonzero()[:, 1].cpu().numpy() + len(self.names)
        ends = among.sum(dim=1).cumsum(dim=0).tolist()
        self.names += names
        self._refuse(set().union(*map(self._seen.add, names)))
        rows = [
            self._best(
                np.concatenate([self.scores[row].numpy(), values[start:stop]]),
                np.concatenate([self.positions[row].numpy(), columns[start:stop]]),
            )
            for row, (start, stop) in enumerate(zip([0, *ends], ends, strict=False))
        ]
        if rows:
            self.scores = torch.from_numpy(np.stack([values for values, _ in rows]))
            self.positions = torch.from_numpy(np.stack([places for _, places in rows]))

    def finish(self) -> None:
        """Look for ids that came twice among the last ones.

        Raises:
            DataError: one did.
        """
        self._refuse(self._seen.rest())

    def _refuse(self, codes: set[int]) -> None:
        if codes:
            refuse_twice(lambda: ((f"document {n}", name) for n, name in enumerate(self.names, start=1)), codes, ONE_ID)

    def _best(self, values: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        order = np.argsort(-values, kind="stable")
        values, places = values[order], places[order]
        # Of equal scores the later id comes first.
        bounds = np.concatenate([[0], np.flatnonzero(np.diff(values)) + 1, [len(values)]])
        for group in np.flatnonzero((np.diff(bounds) > 1) & (bounds[:-1] < self._depth)):
            start, stop = bounds[group], bounds[group + 1]
            places[start:stop] = sorted(places[start:stop], key=self.names.__getitem__, reverse=True)
        return values[: self._depth], places[: self._depth]
