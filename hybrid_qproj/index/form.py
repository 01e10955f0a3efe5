"""How a store keeps a document, as angles in a precision or as a code, and how queries are compared with that."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from hybrid_qproj.codec import Codec, CodecError
from hybrid_qproj.index.errors import StoreError
from hybrid_qproj.index.manifest import Manifest
from hybrid_qproj.index.precision import LEVELS, SLACK, TAIL, Precision, pack, stored_width, unpack
from hybrid_qproj.similarity.fidelity import pairwise_log_fidelity
from hybrid_qproj.similarity.pairwise import LEAST_OVERLAP


class Form(ABC):
    """What a row is on disk.

    Args:
        numbers: of a row.
        dtype: of these.

    Attributes:
        numbers: as given.
        dtype: as given.
    """

    unsound: ClassVar[str]
    """What a row is of which `are_sound` says no."""

    def __init__(self, numbers: int, dtype: torch.dtype) -> None:
        self.numbers, self.dtype = numbers, dtype

    @property
    def bytes_per_document(self) -> int:
        """Bytes of a row."""
        return self.numbers * self.dtype.itemsize

    @abstractmethod
    def pack(self, angles: Tensor) -> Tensor:
        """Rows of angles (n, k): (n, numbers).

        Raises:
            ValueError: these are no angles.
        """

    @abstractmethod
    def unpack(self, rows: Tensor) -> Tensor:
        """Angles that rows stand for, (n, k), float32; of codes what they decode to."""

    @abstractmethod
    def are_sound(self, rows: Tensor) -> bool:
        """Whether rows can be such as `pack` makes."""

    @abstractmethod
    def scores(self, queries: Tensor, rows: Tensor) -> Tensor:
        """Compare all queries, (q, k), float32, with all rows, (n, numbers): (q, n), higher is closer.

        Raises:
            StoreError: the queries are no outputs of such a head, or a row is not sound.
        """

    @abstractmethod
    def pair_scores(self, queries: Tensor, rows: Tensor) -> Tensor:
        """Compare each query, (q, k), with rows of its own, (q, c, numbers): (q, c); see `scores`."""

    @abstractmethod
    def points(self, queries: Tensor) -> Tensor:
        """Vectors, (n, k), whose order by L2 distance is, near to a query, that by the scores; see `scores`."""

    @abstractmethod
    def row_points(self, rows: Tensor) -> Tensor:
        """Likewise of rows, (n, numbers)."""


class Angles(Form):
    """Angles in a precision, compared by fidelity.

    Args:
        width: k.
        precision: float32, float16 or uint8.
    """

    unsound: ClassVar[str] = "holds numbers that are no angles in [0, pi]"

    def __init__(self, width: int, precision: Precision) -> None:
        super().__init__(stored_width(width, precision), getattr(torch, precision))
        self._precision = precision

    def pack(self, angles: Tensor) -> Tensor:
        """See `hybrid_qproj.index.precision.pack`."""
        return pack(angles, self._precision)

    def unpack(self, rows: Tensor) -> Tensor:
        """See `hybrid_qproj.index.precision.unpack`."""
        return unpack(rows)

    def are_sound(self, rows: Tensor) -> bool:
        """Whether they are angles in [0, pi], but for rounding."""
        if rows.dtype == torch.uint8:
            tail = rows[:, -TAIL:].clone(memory_format=torch.contiguous_format).view(torch.float16).float()
            least, most = tail[:, 0], tail[:, 0] + LEVELS * tail[:, 1]
            # Rounding to half precision, of the least and of the step.
            return bool(((least >= -3 * SLACK) & (most <= math.pi + 0.02) & (tail[:, 1] >= 0)).all())
        least, most = (value.float() for value in torch.aminmax(rows))
        return bool((least >= -2 * SLACK) & (most <= math.pi + 2 * SLACK))

    def scores(self, queries: Tensor, rows: Tensor) -> Tensor:
        """Log fidelities."""
        return pairwise_log_fidelity(queries, unpack(rows))

    def pair_scores(self, queries: Tensor, rows: Tensor) -> Tensor:
        """`log_fidelity`, with few passes over memory."""
        documents = unpack(rows)
        # Never what is mapped from the file.
        documents = documents.sub_(queries[:, None]) if documents is not rows else documents - queries[:, None]
        overlaps = documents.mul_(0.5).cos_().abs_().clamp_min_(LEAST_OVERLAP)
        # A product costs less than a logarithm, and four of the least are still a normal number.
        for _ in range(2):
            if overlaps.shape[-1] % 2 == 0:
                overlaps, others = overlaps.chunk(2, dim=-1)
                overlaps.mul_(others)
        return 2 * overlaps.log().sum(dim=-1)

    def points(self, queries: Tensor) -> Tensor:
        """The angles: for close states -log F is a quarter of their squared distance."""
        return queries

    def row_points(self, rows: Tensor) -> Tensor:
        """Likewise."""
        return unpack(rows)


class Codes(Form):
    """Codes, compared with queries in float by the codec's score.

    Args:
        codec: fitted.

    Attributes:
        codec: as given.
    """

    unsound: ClassVar[str] = "is no code: a number in it is not finite"

    def __init__(self, codec: Codec) -> None:
        super().__init__(codec.bytes, torch.uint8)
        self.codec = codec

    def pack(self, angles: Tensor) -> Tensor:
        """See `hybrid_qproj.codec.Codec.encode`."""
        return self.codec.encode(angles)

    def unpack(self, rows: Tensor) -> Tensor:
        """See `hybrid_qproj.codec.Codec.decode`."""
        with _in_a_store():
            return self.codec.decode(rows)

    def are_sound(self, rows: Tensor) -> bool:
        """Every row is a code, unless there are floats in it."""
        if self.codec.scheme.book is not None:
            return True
        try:
            self.codec.decode(rows)
        except CodecError:
            return False
        return True

    def scores(self, queries: Tensor, rows: Tensor) -> Tensor:
        """See `hybrid_qproj.codec.Codec.scores`."""
        with _in_a_store():
            return self.codec.scores(queries, rows)

    def pair_scores(self, queries: Tensor, rows: Tensor) -> Tensor:
        """See `hybrid_qproj.codec.Codec.pair_scores`."""
        with _in_a_store():
            return self.codec.pair_scores(queries, rows)

    def points(self, queries: Tensor) -> Tensor:
        """See `hybrid_qproj.codec.Codec.points`."""
        with _in_a_store():
            return self.codec.points(queries)

    def row_points(self, rows: Tensor) -> Tensor:
        """See `hybrid_qproj.codec.Codec.code_points`."""
        with _in_a_store():
            return self.codec.code_points(rows)


@contextmanager
def _in_a_store() -> Iterator[None]:
    """Errors of a codec as those of the store that it belongs to."""
    try:
        yield
    except CodecError as error:
        raise StoreError(str(error)) from error


def form_of(folder: Path, manifest: Manifest) -> Form:
    """What a manifest says of its rows.

    Args:
        folder: the store's.
        manifest: its manifest.

    Returns:
        the form; of codes with the codec that lies in the folder.

    Raises:
        StoreError: the codec is missing, damaged, or another than the one that made the codes.
    """
    if manifest.precision != "codes":
        return Angles(manifest.width, manifest.precision)
    assert manifest.codec is not None
    path = folder / manifest.codec.file
    try:
        codec = Codec.load_file(path)
    except CodecError as error:
        raise StoreError(f"{error}; put back a copy of it, or encode the corpus again") from error
    found = (codec.fingerprint, codec.width, codec.similarity)
    if found != (manifest.codec.fingerprint, manifest.width, "fidelity"):
        raise StoreError(
            f"{path} is another codec than the one that made the codes in {folder}: {codec}; put back a copy of the "
            "right one, or encode the corpus again"
        )
    return Codes(codec)


def check_codec(codec: Codec | None, width: int) -> None:
    """Refuse a codec of other outputs.

    Raises:
        StoreError: it is.
    """
    if codec is not None and (codec.width, codec.similarity) != (width, "fidelity"):
        raise StoreError(
            f"a codec of {codec.width} numbers, compared by {codec.similarity}; expected one of {width} angles, which "
            "are compared by fidelity"
        )


def write_codec(folder: Path, manifest: Manifest, codec: Codec | None) -> None:
    """Put a codec where a manifest, which is written next, says that it is.

    Raises:
        OutputError: it could not be written.
    """
    if codec is not None and manifest.codec is not None:
        codec.save_file(folder / manifest.codec.file)
