"""Mean and covariance of embeddings that pass by in chunks: all that a fit keeps of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from hybrid_qproj.fitting.errors import FitError

NUMBERS_PER_CHUNK = 1 << 24
"""Numbers of a chunk: 128 MiB in double precision."""


class Moments:
    """Mean and covariance of rows, without the rows.

    Args:
        width: numbers of a row.
        normalize: whether rows are divided by their Euclidean norm first. A row of zeros stays as it is.

    Attributes:
        rows: number of rows so far.
    """

    def __init__(self, width: int, normalize: bool = True) -> None:
        self.width = width
        self.normalize = normalize
        self.rows = 0
        self._shift = torch.zeros(width, dtype=torch.float64)
        self._sum = torch.zeros(width, dtype=torch.float64)
        self._products = torch.zeros(width, width, dtype=torch.float64)

    def add(self, embeddings: Any) -> None:
        """Take in rows.

        Args:
            embeddings: (n, width), torch or numpy, floating point.

        Raises:
            FitError: another shape or type, or a row with NaN or infinity.
        """
        # A memory-mapped array may not be written to; copying one slice costs little.
        rows = torch.from_numpy(np.array(embeddings)) if isinstance(embeddings, np.ndarray) else embeddings
        if not isinstance(rows, Tensor):
            raise FitError(f"got {type(embeddings).__name__}; expected torch or numpy")
        if rows.dim() != 2 or rows.shape[1] != self.width or not rows.is_floating_point():  # noqa: PLR2004 - a matrix
            raise FitError(
                f"got embeddings of shape {tuple(rows.shape)} and type {rows.dtype}; expected (n, {self.width}), "
                "floating point"
            )
        rows = rows.detach().to("cpu", torch.float64)
        if not bool(rows.sum().isfinite()) and (wrong := (~rows.isfinite()).any(dim=1).nonzero()).numel():
            raise FitError(
                f"row {self.rows + int(wrong[0])} holds NaN or infinity, as {len(wrong)} of {len(rows)} rows of its "
                "chunk do; remove them, or look for empty texts and overflow in the encoder"
            )
        if self.normalize:
            rows = torch.nn.functional.normalize(rows, dim=1)
        if not self.rows and len(rows):
            # Near the mean, products lose no digits.
            self._shift = rows.mean(dim=0)
        rows = rows - self._shift
        self.rows += len(rows)
        self._sum += rows.sum(dim=0)
        self._products.addmm_(rows.T, rows)

    @property
    def mean(self) -> Tensor:
        """Mean row, (width,), float64."""
        return self._shift + self._sum / self.rows

    @property
    def covariance(self) -> Tensor:
        """Covariance divided by the number of rows, (width, width), float64.

        Raises:
            FitError: fewer than two rows.
        """
        if self.rows < 2:  # noqa: PLR2004 - one row has no spread
            raise FitError(f"got {self.rows} rows; a covariance needs two at least, a good one more than {self.width}")
        mean = self._sum / self.rows
        return self._products / self.rows - torch.outer(mean, mean)


def moments_of(embeddings: Any, normalize: bool = True) -> Moments:
    """Moments of an array, read in slices.

    Args:
        embeddings: (n, d), torch, numpy or memory-mapped: anything with a shape that can be sliced.
        normalize: whether rows are divided by their norm first.

    Returns:
        the moments.

    Raises:
        FitError: no matrix, or a row with NaN or infinity.
    """
    shape = tuple(getattr(embeddings, "shape", ()))
    if len(shape) != 2:  # noqa: PLR2004 - a matrix
        raise FitError(f"got {type(embeddings).__name__} of shape {shape}; expected an array (n, d)")
    moments = Moments(shape[1], normalize)
    step = max(1, NUMBERS_PER_CHUNK // max(1, shape[1]))
    for start in range(0, shape[0], step):
        moments.add(embeddings[start : start + step])
    return moments
