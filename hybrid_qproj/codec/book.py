"""What the bytes of a code stand for: for each field, 256 values of the coordinates that it holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

ENTRIES = 256
"""Values of a field."""
ROWS_AT_ONCE = 1 << 12
"""Codes decoded at once: their places in the table are eight bytes a coordinate."""


class Levels(NamedTuple):
    """The distinct values of coordinates, of which a table of sums is made without the same work for all 256 entries.

    Attributes:
        values: of all coordinates, one after the other, (levels,), float64.
        coordinate: of each, (levels,), int64.
        members: for each field and value the levels that it stands for, (fields 256, most coordinates of a field),
            int32; filled up with the number of levels.
    """

    values: Tensor
    coordinate: Tensor
    members: Tensor


@dataclass(frozen=True, eq=False)
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

    @cached_property
    def levels(self) -> Levels:
        """The distinct values of its coordinates."""
        ordered, places = self.values.sort(dim=1)
        new = torch.nn.functional.pad(ordered.diff(dim=1) > 0, (1, 0))
        new[:, 0] = True
        numbers = torch.empty_like(places).scatter_(1, places, new.flatten().cumsum(0).view_as(new) - 1)
        order = self.field.argsort(stable=True)
        counts = self.field.bincount(minlength=self.fields)
        column = torch.arange(len(order)) - (counts.cumsum(0) - counts)[self.field[order]]
        members = torch.full((self.fields, ENTRIES, int(counts.max())), int(new.sum()), dtype=torch.int32)
        members[self.field[order], :, column] = numbers[order].int()
        coordinate = torch.arange(len(self.values))[:, None].expand_as(new)[new]
        return Levels(ordered[new].double(), coordinate, members.flatten(0, 1))

    def summed(self, terms: Tensor) -> Tensor:
        """Tables of sums over the coordinates of a field.

        Args:
            terms: of each of its levels, (levels, columns), float64.

        Returns:
            (fields 256, columns), float32.
        """
        padded = torch.nn.functional.pad(terms.float(), (0, 0, 0, 1))
        return torch.nn.functional.embedding_bag(self.levels.members, padded, mode="sum")

    def seen_from(self, origin: Tensor) -> tuple[Tensor, Tensor]:
        """What is added to coordinates and to outputs where outputs are measured from an origin.

        Args:
            origin: (k,).

        Returns:
            to each coordinate, (c,), and what no coordinate shows, the same for every code, (k,); float64.
        """
        moved = -origin.double()
        if self.offset is not None:
            moved = moved + self.offset
        if self.rotation is None:
            return moved, torch.zeros_like(moved)
        rotation = self.rotation.double()
        seen = rotation @ moved
        return seen, moved - seen @ rotation
