"""A query in float against documents as codes, exact to what the codes decode to.

A similarity that is a sum over outputs is a sum over the bytes of a code, of what a query's table says of each: 256
numbers a byte. So a document costs as many additions as it has bytes, less than a product with its floats, and no float
of it is ever in memory. Queries are compared some at a time, as many as let their tables stay in a core's cache.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hybrid_qproj._util.norms import unit
from hybrid_qproj.codec.book import ENTRIES, Book
from hybrid_qproj.codec.scheme import Scheme, Score
from hybrid_qproj.similarity.fidelity import log_fidelity, pairwise_log_fidelity
from hybrid_qproj.similarity.pairwise import LEAST_OVERLAP

COLUMNS = 32
"""Of a table: queries compared at once, and norms of documents."""
ROWS = 1 << 11
"""Codes looked up at once."""
DECODED_ROWS = 1 << 14
"""Codes at once that are decoded, where no table says what they are."""
SMALLEST = 1e-12
"""Least norm by which a document is divided."""


class Comparison:
    """How queries are compared with the codes of a scheme.

    Args:
        scheme: the scheme.
        book: its book, or None.
        score: what is computed.
        origin: from which deviations are measured for cosines, (k,).
    """

    def __init__(self, scheme: Scheme, book: Book | None, score: Score, origin: Tensor) -> None:
        self._scheme, self._book, self._score, self._origin = scheme, book, score, origin
        # A rotation mixes the outputs, and only sums over these can be looked up.
        self._by_tables = book is not None and (score != "fidelity" or book.rotation is None)
        self._normed = score != "fidelity" and scheme.normalises

    def scores(self, queries: Tensor, codes: Tensor) -> Tensor:
        """Compare all queries with all codes.

        Args:
            queries: outputs, (q, k), float32.
            codes: (n, bytes), uint8.

        Returns:
            (q, n), float32.
        """
        found = torch.empty(len(queries), len(codes))
        if not self._by_tables:
            for start in range(0, len(codes), DECODED_ROWS):
                part = codes[start : start + DECODED_ROWS]
                found[:, start : start + len(part)] = self._compare(queries, self.decode(part))
            return found
        columns = COLUMNS - self._normed
        for first in range(0, len(queries), columns):
            chosen = queries[first : first + columns]
            tables, constants = self._tables(chosen)
            for start in range(0, len(codes), ROWS):
                places = self._places(codes[start : start + ROWS])
                sums = torch.nn.functional.embedding_bag(places, tables, mode="sum")
                sums += constants
                if self._normed:
                    sums = _over_norms(sums[:, :-1], sums[:, -1:])
                found[first : first + len(chosen), start : start + ROWS] = sums.T
        return found.clamp_max_(0) if self._score == "fidelity" else found

    def pairs(self, queries: Tensor, codes: Tensor) -> Tensor:
        """Compare each query with codes of its own.

        Args:
            queries: outputs, (q, k), float32.
            codes: (q, c, bytes), uint8.

        Returns:
            (q, c), float32.
        """
        if self._by_tables:
            return self._pairs_by_tables(queries, codes)
        documents = self.decode(codes.flatten(0, 1)).unflatten(0, codes.shape[:2])
        if self._score == "fidelity":
            return log_fidelity(queries[:, None], documents)
        deviations = documents - self._origin
        if self._scheme.normalises:
            deviations = unit(deviations)
        return (unit(queries - self._origin)[:, None] * deviations).sum(dim=-1)

    def _pairs_by_tables(self, queries: Tensor, codes: Tensor) -> Tensor:
        """A table for each query, one behind the other, of its own column and perhaps that of squared norms."""
        assert self._book is not None
        found = torch.empty(codes.shape[:2])
        entries = self._book.fields * ENTRIES
        for first in range(0, len(queries), COLUMNS):
            chosen, mine = queries[first : first + COLUMNS], codes[first : first + COLUMNS]
            tables, constants = self._tables(chosen)
            columns = tables[:, : len(chosen)].T.flatten()[:, None]
            if self._normed:
                columns = torch.cat([columns, tables[:, -1:].repeat(len(chosen), 1)], dim=1)
            places = self._places(mine.flatten(0, 1)).unflatten(0, mine.shape[:2])
            places += torch.arange(len(chosen), dtype=torch.int32)[:, None, None] * entries
            sums = torch.nn.functional.embedding_bag(places.flatten(0, 1), columns, mode="sum")
            sums = sums.unflatten(0, mine.shape[:2])
            scores = sums[..., 0] + constants[: len(chosen), None]
            if self._normed:
                scores = _over_norms(scores, sums[..., 1] + constants[-1])
            found[first : first + COLUMNS] = scores
        return found.clamp_max_(0) if self._score == "fidelity" else found

    def decode(self, codes: Tensor) -> Tensor:
        """Outputs that codes stand for, (n, k)."""
        return self._scheme.decode(codes) if self._book is None else self._book.decode(self._scheme.fields(codes))

    def points(self, outputs: Tensor) -> Tensor:
        """Where the order by L2 distance is that by the score: outputs, or for cosines their directions.

        Args:
            outputs: (n, k), float32.
        """
        return outputs if self._score == "fidelity" else unit(outputs - self._origin)

    def _compare(self, queries: Tensor, documents: Tensor) -> Tensor:
        if self._score == "fidelity":
            return pairwise_log_fidelity(queries, documents)
        deviations = documents - self._origin
        return unit(queries - self._origin) @ (unit(deviations) if self._scheme.normalises else deviations).T

    def _places(self, codes: Tensor) -> Tensor:
        """Rows of a table that codes (n, bytes) name, (n, fields), int32."""
        assert self._book is not None
        return self._scheme.fields(codes).int().add_(torch.arange(self._book.fields, dtype=torch.int32) * ENTRIES)

    def _tables(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Tables, (fields 256, columns), a column a query and perhaps one of squared norms; and what to add to each."""
        assert self._book is not None
        book = self._book
        values, coordinate, _ = book.levels
        if self._score == "fidelity":
            # Halved first, as in `log_fidelity`.
            overlaps = (queries.double().T[coordinate] / 2 - values[:, None] / 2).cos_().abs_()
            terms = overlaps.clamp_min_(LEAST_OVERLAP).log_().mul_(2)
            return book.summed(terms), torch.zeros(len(queries))
        moved, rest = book.seen_from(self._origin)
        values = values + moved[coordinate]
        directions = unit((queries - self._origin).double())
        seen = directions if book.rotation is None else directions @ book.rotation.double().T
        terms, constants = values[:, None] * seen.T[coordinate], directions @ rest
        if self._normed:
            terms = torch.cat([terms, values.square()[:, None]], dim=1)
            constants = torch.cat([constants, rest.square().sum()[None]])
        return book.summed(terms), constants.float()


def _over_norms(products: Tensor, squares: Tensor) -> Tensor:
    """Products with documents as such with their directions."""
    return products / squares.clamp_min(0).sqrt_().clamp_min_(SMALLEST)
