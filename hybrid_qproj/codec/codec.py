"""The codec: outputs of a head in a given number of bytes, and the similarity of a query with such codes."""

from __future__ import annotations

import hashlib
import json
import math
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from hybrid_qproj._util.tensors import tensors_digest
from hybrid_qproj.codec import registry, saved
from hybrid_qproj.codec.book import Book
from hybrid_qproj.codec.checks import Similarity, check_codec, check_score, checked_outputs
from hybrid_qproj.codec.errors import CodecError
from hybrid_qproj.codec.scheme import LEAST_ROWS, Scheme, Score, check_rows
from hybrid_qproj.codec.scoring import Comparison

CENTRES: dict[str, float] = {"fidelity": math.pi / 2, "cosine": 0.0}
"""Output for an embedding of zeros, by the similarity of the head."""
ROWS_AT_ONCE = 1 << 14
"""Outputs coded at once."""
DIGITS = 32
"""Hexadecimal digits of a fingerprint."""


class Codec:
    """Outputs as codes of a fixed number of bytes, fitted to outputs without labels.

    Documents are kept as codes, queries stay in float. Make one by `fit`, or read one by `load`.

    Args:
        scheme: fitted.
        similarity: of the head: ``"fidelity"`` for angles, ``"cosine"`` for vectors, whose directions alone are coded.
        score: see `scores`; None for the scheme's own.
        head: fingerprint of the head whose outputs they are; None where it is not known.

    Attributes:
        scheme: as given.
        similarity: as given.
        score: how codes are compared.
        head: as given.

    Raises:
        CodecError: an unknown similarity, or a score that does not go with it or the scheme.

    Examples:
        >>> angles = 1.57 + 0.1 * torch.randn(500, 32, generator=torch.Generator().manual_seed(0))
        >>> codec = Codec.fit(angles, bytes=8)
        >>> codes = codec.encode(angles)
        >>> codes.shape, codes.dtype, codec.stored_numbers
        (torch.Size([500, 8]), torch.uint8, 96)
        >>> codec.scores(angles[:2], codes).shape
        torch.Size([2, 500])
    """

    def __init__(
        self,
        scheme: Scheme,
        similarity: Similarity = "fidelity",
        score: Score | None = None,
        head: str | None = None,
    ) -> None:
        check_score(similarity, score)
        self.scheme, self.similarity, self.head = scheme, similarity, head
        self.score: Score = score or type(scheme).score
        if self.score == "centred" and scheme.origin is None:
            raise CodecError(f"{scheme.name!r} stores no mean, so it has no score 'centred'; expected 'cosine'")

    @classmethod
    def fit(
        cls,
        outputs: Any,
        bytes: int = 64,  # noqa: A002 - what the user counts
        scheme: str = registry.DEFAULT,
        seed: int = 0,
        similarity: Similarity = "fidelity",
        score: Score | None = None,
        head: str | None = None,
    ) -> Self:
        """A codec fitted to outputs of a head, of documents like those that it will code.

        Args:
            outputs: (n, k), torch or numpy, floating point.
            bytes: of a code.
            scheme: a name of `hybrid_qproj.codec.registry.names`.
            seed: of what a scheme draws; ``"bits"`` and ``"signs"`` draw nothing.
            similarity: of the head.
            score: see `scores`; None for the scheme's own.
            head: fingerprint of the head (`hybrid_qproj.heads.fingerprint.head_fingerprint`).

        Returns:
            the codec; the same for the same outputs and seed.

        Raises:
            CodecError: bytes that the scheme cannot give, too few outputs, or outputs that are none of such a head.
            MissingExtraError: the scheme is fitted by FAISS, which is not installed.
        """
        found = registry.get(scheme)
        rows = checked_outputs(outputs, similarity, None)
        check_codec(scheme, rows.shape[1], bytes, similarity, score)
        check_rows(scheme, rows, LEAST_ROWS)
        return cls(found.fit(rows, bytes, seed), similarity, score, head)

    @property
    def width(self) -> int:
        """K, numbers of an output."""
        return self.scheme.width

    @property
    def bytes(self) -> int:
        """Of a code."""
        return self.scheme.bytes

    @property
    def stored_numbers(self) -> int:
        """Numbers that the codec stores, beside those of the head."""
        return self.scheme.stored_numbers

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all that decides codes and scores, 32 hexadecimal digits; the same after saving and loading."""
        text = json.dumps(self.config(), sort_keys=True)
        return hashlib.sha256(f"{text}\n{tensors_digest(self.scheme.tensors())}".encode()).hexdigest()[:DIGITS]

    def config(self) -> dict[str, Any]:
        """All that a saved codec holds beside its tensors, as plain values."""
        return {
            "scheme": self.scheme.name,
            "width": self.width,
            "bytes": self.bytes,
            "similarity": self.similarity,
            "score": self.score,
            "head": self.head,
        }

    def encode(self, outputs: Any) -> Tensor:
        """Codes of outputs.

        Args:
            outputs: (n, k), torch or numpy, floating point.

        Returns:
            (n, bytes), uint8, on the CPU.

        Raises:
            CodecError: another width, or outputs that are none of such a head.
        """
        rows = checked_outputs(outputs, self.similarity, self.width)
        parts = [self.scheme.encode(part) for part in rows.split(ROWS_AT_ONCE)]
        return torch.cat(parts) if len(rows) else torch.empty(0, self.bytes, dtype=torch.uint8)

    def decode(self, codes: Any) -> Tensor:
        """Outputs that codes stand for.

        Args:
            codes: (n, bytes), torch or numpy, uint8.

        Returns:
            (n, k), float32.

        Raises:
            CodecError: these are no codes of it.
        """
        return self._comparison.decode(self._codes(codes, 2))

    def scores(self, queries: Any, codes: Any) -> Tensor:
        """Compare queries in float with documents as codes, exactly as with what the codes decode to.

        Args:
            queries: outputs of the head, (q, k), torch or numpy, floating point.
            codes: (n, bytes), torch or numpy, uint8.

        Returns:
            (q, n), float32, higher is closer. By the codec's score: ``"fidelity"``, the logarithm of the fidelity of
            the query's angles with the decoded ones; ``"cosine"``, the cosine of deviations from pi/2, or for vectors
            of the vectors themselves; ``"centred"``, that of deviations from the mean of the outputs it was fitted to.

        Raises:
            CodecError: widths differ, or queries are no outputs of such a head.
        """
        return self._comparison.scores(self._queries(queries), self._codes(codes, 2))

    def pair_scores(self, queries: Any, codes: Any) -> Tensor:
        """Compare each query with codes of its own, as `scores` does.

        Args:
            queries: (q, k), torch or numpy, floating point.
            codes: (q, c, bytes), torch or numpy, uint8.

        Returns:
            (q, c), float32.

        Raises:
            CodecError: as for `scores`.
        """
        rows, found = self._queries(queries), self._codes(codes, 3)
        if len(found) != len(rows):
            raise CodecError(f"got {len(rows)} queries and codes for {len(found)}; expected codes for each query")
        return self._comparison.pairs(rows, found)

    def points(self, outputs: Any) -> Tensor:
        """Vectors whose order by L2 distance is, near to a query, that by the score: for a first stage of candidates.

        Args:
            outputs: of queries, (n, k).

        Returns:
            (n, k), float32: the outputs, or for cosines the directions of their deviations.

        Raises:
            CodecError: they are no outputs of such a head.
        """
        return self._comparison.points(self._queries(outputs))

    def code_points(self, codes: Any) -> Tensor:
        """`points` of what codes stand for, which after a rotation can lie outside of the range of outputs.

        Args:
            codes: (n, bytes), torch or numpy, uint8.

        Returns:
            (n, k), float32.

        Raises:
            CodecError: these are no codes of it.
        """
        return self._comparison.points(self.decode(codes))

    def save(self, folder: str | Path) -> None:
        """Write the codec to a folder, as ``codec.safetensors``; an older one there is replaced whole, or stays.

        Args:
            folder: made if it is missing.

        Raises:
            OutputError: it could not be written.
        """
        self.save_file(Path(folder) / saved.FILE)

    def save_file(self, path: str | Path) -> None:
        """Write the codec to a file of any name; see `save`."""
        path = Path(path)
        saved.write(path.parent, self.config(), self.scheme.tensors(), self.fingerprint, path.name)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a codec that `save` wrote.

        Args:
            folder: the folder.

        Returns:
            the codec.

        Raises:
            CodecError: there is none, or it is damaged.
        """
        return cls.load_file(Path(folder) / saved.FILE)

    @classmethod
    def load_file(cls, path: str | Path) -> Self:
        """Read a codec's file, whatever its name; see `load`."""
        path = Path(path)
        record, tensors = saved.read(path)
        try:
            scheme = registry.get(record.scheme).build(record.width, record.bytes, tensors)
            found = cls(scheme, record.similarity, record.score, record.head)
        except CodecError as error:
            raise CodecError(f"{path} is damaged: {error}") from error
        if found.fingerprint != record.fingerprint:
            raise CodecError(f"{path} is not as it was written: it was damaged or edited; fit the codec again")
        return found

    @cached_property
    def _book(self) -> Book | None:
        book = self.scheme.book
        # Levels far out can lie beyond the poles, where no angle does.
        bounded = self.similarity == "fidelity" and book is not None and book.rotation is None
        return book.clamped(0.0, math.pi) if book is not None and bounded else book

    @property
    def origin(self) -> Tensor:
        """From where the score measures deviations, (k,): the mean it was fitted to, or the output for zeros."""
        centre = torch.full((self.width,), CENTRES[self.similarity])
        found = self.scheme.origin if self.score == "centred" else centre
        assert found is not None
        return found

    @cached_property
    def _comparison(self) -> Comparison:
        return Comparison(self.scheme, self._book, self.score, self.origin)

    def _queries(self, queries: Any) -> Tensor:
        return checked_outputs(queries, self.similarity, self.width)

    def _codes(self, codes: Any, axes: int) -> Tensor:
        found = torch.from_numpy(codes) if isinstance(codes, np.ndarray) else codes
        sound = isinstance(found, Tensor) and found.dtype == torch.uint8 and found.dim() == axes
        if not sound or found.shape[-1] != self.bytes:
            shape = f"{getattr(found, 'dtype', type(found).__name__)} {tuple(getattr(found, 'shape', ()))}"
            raise CodecError(f"got codes {shape}; expected uint8 of {axes} axes, the last of {self.bytes} bytes")
        return found.cpu()

    def __repr__(self) -> str:
        return f"Codec({self.scheme.name}, {self.width} numbers in {self.bytes} bytes, score={self.score!r})"
