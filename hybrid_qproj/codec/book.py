"""What the bytes of a code stand for: for each field, 256 values of the coordinates that it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

ENTRIES = 256
"""Values of a field."""
ROWS_AT_ONCE = 1 << 12
"""Codes decoded at once: their places in the table are eight bytes a coordinate."""


class Deviations(NamedTuple):
    """A book measured from an origin.

    Attributes:
        values: of the coordinates, as in the book, less the origin's, (c, 256), float64.
        rest: what of the deviations no coordinate shows, the same for every code, (k,), float64.
    """

    values: Tensor
    rest: Tensor


@dataclass(frozen=True)
class Book:
    """Decoded outputs as sums over the fields of a code.

    Args:
        values: of each coordinate for each value of its field, (c, 256), float32.
        field: of each coordinate, (c,), int64.
        fields: number of fields.
        rotation: from coordinates to outputs, (c, k), of orthonormal rows; None where coordinates are the outputs.
        offset: added to the outputs after a rotation, (k,); None for nothing.
    """

    values: Tensor
    field: Tensor
    fields: int
    rotation: Tensor | None = None
    offset: Tensor | None = None

    def decode(self, fields: Tensor) -> Tensor:
        """Outputs of codes.

        Args:
            fields: (n, fields), uint8.

        Returns:
            (n, k), float32.
        """
        columns = torch.arange(len(self.field))
        parts = []
        for rows in fields.split(ROWS_AT_ONCE):
            coordinates = self.values[columns, rows[:, self.field].long()]
            if self.rotation is not None:
                coordinates = coordinates @ self.rotation
                if self.offset is not None:
                    coordinates += self.offset
            parts.append(coordinates)
        return torch.cat(parts) if parts else torch.empty(0, self.width)

    @property
    def width(self) -> int:
        """Numbers of an output."""
        return len(self.field) if self.rotation is None else self.rotation.shape[1]

    def clamped(self, least: float, most: float) -> Book:
        """The book with its values in an interval; only where they are the outputs themselves."""
        return Book(self.values.clamp(least, most), self.field, self.fields)

    def deviations(self, origin: Tensor) -> Deviations:
        """The book measured from an origin.

        Args:
            origin: (k,).
        """
        values, from_origin = self.values.double(), -origin.double()
        if self.offset is not None:
            from_origin = from_origin + self.offset
        if self.rotation is None:
            return Deviations(values + from_origin[:, None], torch.zeros_like(from_origin))
        rotation = self.rotation.double()
        seen = rotation @ from_origin
        return Deviations(values + seen[:, None], from_origin - seen @ rotation)

    def summed(self, terms: Tensor) -> Tensor:
        """Tables of sums over the coordinates of a field.

        Args:
            terms: of each coordinate for each value of its field, (c, 256, columns).

        Returns:
            (fields, 256, columns), of their dtype.
        """
        return terms.new_zeros(self.fields, *terms.shape[1:]).index_add_(0, self.field, terms)
