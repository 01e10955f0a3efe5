"""The head's arithmetic on a piece of a batch, forward and backward, without a graph.

Written out so that temporaries are used again while they are in cache: this is what a head does on a large batch where
nothing compiled it. `Projector.pure` says the same in plain operations, and the tests hold one against the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from hybrid_qproj._util.norms import units_and_norms
from hybrid_qproj.contraction.gather import Gather, Wiring


class StageTape(NamedTuple):
    """What the backward pass of a stage needs.

    Attributes:
        control: cosine and sine of the controls' angles, (rows, blocks) each.
        kept: the same of the kept qubits.
        parts: what multiplies 1, cosine and sine of the control, (rows, blocks) each.
        z: the stage's values before they are clamped to [-1, 1].
    """

    control: tuple[Tensor, Tensor]
    kept: tuple[Tensor, Tensor]
    parts: tuple[Tensor, Tensor, Tensor]
    z: Tensor


class Piece:
    """A forward pass and what its backward pass needs.

    Args:
        wiring: the plan's reads.
        normalize: whether embeddings are divided by their norm.
        embeddings: (..., d); (rows, d) for the backward pass.
        scale: of the encoding, or None.
        responses: rows of the stages' response tensors, (9, blocks) each.
    """

    def __init__(
        self, wiring: Wiring, normalize: bool, embeddings: Tensor, scale: Tensor | None, responses: Sequence[Tensor]
    ) -> None:
        self._output, self._responses = wiring.output, responses
        # ModuleList hides the type of what it holds.
        self._reads: list[tuple[Gather, Gather]] = list(zip(wiring.control, wiring.kept, strict=True))  # type: ignore[arg-type]
        self._scale = None if scale is None else scale.to(embeddings)
        self._unit = embeddings
        self._norm: Tensor | None = None
        self._short: Tensor | None = None
        if normalize:
            self._unit, self._norm, self._short = units_and_norms(embeddings)
        twice = self._unit * (2 if self._scale is None else 2 * self._scale)
        self._angle = twice.sigmoid_().mul_(-math.pi)
        self._cosines = [self._angle.cos()]
        self._sines = [self._angle.sin()]
        self._tapes: list[StageTape] = []
        for (read_c, read_b), rows in zip(self._reads, responses, strict=True):
            self._stage(
                rows, (read_c(self._cosines), read_c(self._sines)), (read_b(self._cosines), read_b(self._sines))
            )

    def angles(self, out: Tensor | None = None) -> Tensor:
        """The result, (..., k).

        Args:
            out: where to write it, or None.
        """
        read = self._output
        return torch.atan2(read(self._sines).abs(), read(self._cosines), out=out)

    def _stage(self, rows: Tensor, control: tuple[Tensor, Tensor], kept: tuple[Tensor, Tensor]) -> None:
        r = rows.unbind(0)
        one, cos, sin = (torch.addcmul(r[i], r[i + 1], kept[0]).addcmul_(r[i + 2], kept[1]) for i in (0, 3, 6))
        z = torch.addcmul(one, cos, control[0]).addcmul_(sin, control[1])
        self._tapes.append(StageTape(control, kept, (one, cos, sin), z))
        clamped = z.clamp(-1, 1)
        self._cosines.append(clamped)
        self._sines.append((1 - clamped).mul_(clamped + 1).sqrt_())

    def backward(self, upstream: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        """Gradients.

        Args:
            upstream: gradient by the angles, (rows, k).
            wanted: of embeddings, scale, and rows of each stage's responses: whether its gradient is.

        Returns:
            gradients in this order, None for what is not wanted or not there.
        """
        by_input, by_scale, *by_responses = wanted
        by_cos = [torch.zeros_like(value) for value in self._cosines]
        by_sin = [torch.zeros_like(value) for value in self._sines]
        read = self._output
        cos, sin = read(self._cosines), read(self._sines)
        share = upstream / (cos.square() + sin.square())
        read.add_to(by_cos, (sin.abs() * share).neg_())
        read.add_to(by_sin, share.mul_(cos).mul_(sin.sign()))
        found: list[Tensor | None] = []
        for number in reversed(range(len(self._tapes))):
            tape, rows = self._tapes[number], self._responses[number]
            upward = self._by_z(number, by_cos[number + 1], by_sin[number + 1])
            found.append(_by_rows(tape, upward) if by_responses[number] else None)
            if not any(wanted[: number + 2]):
                continue
            r = rows.unbind(0)
            read_c, read_b = self._reads[number]
            read_c.add_to(by_cos, upward * tape.parts[1])
            read_c.add_to(by_sin, upward * tape.parts[2])
            for totals, i in ((by_cos, 1), (by_sin, 2)):
                slope = torch.addcmul(r[i], r[i + 3], tape.control[0]).addcmul_(r[i + 6], tape.control[1])
                read_b.add_to(totals, slope.mul_(upward))
        if by_input or by_scale:
            found += self._by_encoding(by_cos[0], by_sin[0], by_scale, by_input)
        else:
            found += [None, None]
        return found[::-1]

    def _by_z(self, number: int, by_cos: Tensor, by_sin: Tensor) -> Tensor:
        """Gradient by a stage's values, given those by its clamped cosine and sine."""
        z, sine = self._cosines[number + 1], self._sines[number + 1]
        # d sqrt(1 - z^2) / dz = -z / sqrt(1 - z^2); see `reprepare` for the end points.
        slope = (z / sine).masked_fill_(sine == 0, 0)
        total = by_cos.addcmul_(by_sin, slope, value=-1)
        return total.masked_fill_(self._tapes[number].z != z, 0)

    def _by_encoding(self, by_cos: Tensor, by_sin: Tensor, scale: bool, embeddings: bool) -> list[Tensor | None]:
        """Gradients by scale and embeddings, as far as wanted."""
        by_angle = by_sin.mul_(self._cosines[0]).addcmul_(by_cos, self._sines[0], value=-1)
        # The angle a is -pi sigmoid(2 x), so its slope is 2 a (1 + a / pi).
        gradient = (self._angle * (2 / math.pi)).add_(2).mul_(self._angle).mul_(by_angle)
        by_scale = torch.dot(gradient.flatten(), self._unit.flatten()) if scale and self._scale is not None else None
        if not embeddings:
            return [by_scale, None]
        if self._scale is not None:
            gradient.mul_(self._scale)
        if self._norm is not None:
            # Along the embedding nothing changes.
            along = (gradient * self._unit).sum(dim=-1, keepdim=True)
            gradient.addcmul_(self._unit, along, value=-1).div_(self._norm)
            if self._short is not None:
                gradient.masked_fill_(self._short, 0)
        return [by_scale, gradient]


def _by_rows(tape: StageTape, upward: Tensor) -> Tensor:
    (cos_c, sin_c), (cos_b, sin_b) = tape.control, tape.kept
    sums = []
    for weighted in (upward, upward * cos_c, upward * sin_c):
        sums += [weighted.sum(dim=0), (weighted * cos_b).sum(dim=0), (weighted * sin_b).sum(dim=0)]
    return torch.stack(sums)
