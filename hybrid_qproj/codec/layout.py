"""Numbers of a few bits each in whole bytes, so that a byte can be looked up as one.

Outputs share fields of eight bits at most: each goes to the first field with room, the largest outputs first. A full
field is a byte. Those that could not be filled follow one another without gaps, across the boundaries of bytes.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor

BITS = 8
"""Of a byte."""


class Layout(NamedTuple):
    """Where each output's bits are.

    Attributes:
        bits: of each output, (k,), int64.
        field: of each output, (k,), int64; those without bits are shared out among all.
        shift: of the output's bits in its field, (k,), int64.
        sizes: bits of each field, (fields,), int64: those of full ones first.
    """

    bits: Tensor
    field: Tensor
    shift: Tensor
    sizes: Tensor

    @classmethod
    def of(cls, bits: Tensor) -> Self:
        """Lay out outputs.

        Args:
            bits: of each output, (k,), 0 to 8.

        Examples:
            >>> Layout.of(torch.tensor([5, 5, 6])).sizes
            tensor([6, 5, 5])
        """
        sizes: list[int] = []
        members: list[list[int]] = []
        for output in torch.argsort(bits, descending=True, stable=True).tolist():
            size = int(bits[output])
            if not size:
                break
            # Larger outputs came before, so a linear search ends early where it matters: with many small ones.
            place = next((number for number, full in enumerate(sizes) if full + size <= BITS), len(sizes))
            if place == len(sizes):
                sizes.append(0)
                members.append([])
            sizes[place] += size
            members[place].append(output)
        order = sorted(range(len(sizes)), key=lambda number: sizes[number] < BITS)
        field = torch.arange(len(bits)) % max(1, len(sizes))
        shift = torch.zeros(len(bits), dtype=torch.long)
        for number, place in enumerate(order):
            used = 0
            for output in members[place]:
                field[output], shift[output] = number, used
                used += int(bits[output])
        return cls(bits.long(), field, shift, torch.tensor([sizes[place] for place in order], dtype=torch.long))

    @property
    def full(self) -> int:
        """Fields that are bytes."""
        return int((self.sizes == BITS).sum())

    def pack(self, numbers: Tensor) -> Tensor:
        """Codes of numbers.

        Args:
            numbers: (n, k), uint8, each below 2^bits; zeros where an output has no bits.

        Returns:
            (n, bytes), uint8.
        """
        fields = torch.zeros(len(numbers), len(self.sizes), dtype=torch.uint8)
        fields.index_add_(1, self.field, numbers << self.shift.to(torch.uint8))
        rest = fields[:, self.full :]
        if not rest.shape[1]:
            return fields
        # Most significant bit first, field by field.
        streams = [_bits(rest[:, place], size) for place, size in enumerate(self.sizes[self.full :].tolist())]
        stream = torch.cat(streams, dim=1)
        stream = torch.nn.functional.pad(stream, (0, -stream.shape[1] % BITS)).unflatten(1, (-1, BITS))
        weights = torch.tensor([128, 64, 32, 16, 8, 4, 2, 1], dtype=torch.uint8)
        return torch.cat([fields[:, : self.full], (stream * weights).sum(dim=2, dtype=torch.uint8)], dim=1)

    def fields(self, codes: Tensor) -> Tensor:
        """The fields of codes.

        Args:
            codes: (n, bytes), uint8.

        Returns:
            (n, fields), uint8; where all fields are full, the codes themselves.
        """
        full = self.full
        if full == len(self.sizes):
            return codes
        # One byte more, so that the last field has a second one to be read from.
        padded = torch.nn.functional.pad(codes, (0, 1)).int()
        found = [codes[:, :full]]
        start = full * BITS
        for size in self.sizes[full:].tolist():
            window = padded[:, start // BITS] << BITS | padded[:, start // BITS + 1]
            value = window >> (2 * BITS - start % BITS - size) & (1 << size) - 1
            found.append(value.to(torch.uint8)[:, None])
            start += size
        return torch.cat(found, dim=1)


def _bits(values: Tensor, size: int) -> Tensor:
    """Bits of numbers, most significant first: (n,) -> (n, size)."""
    shifts = torch.arange(size - 1, -1, -1, dtype=torch.uint8, device=values.device)
    return values[:, None] >> shifts & 1
