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
from hybrid_qproj.contraction import elementary
from hybrid_qproj.contraction.gather import Gather, PlanGather

LEAST_SQUARE = 1e-30
"""Below the square of any root of 1 - z^2 that is not 0, in double precision too."""


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


class Tape(NamedTuple):
    """What a forward pass leaves to `TiledPass.angles` and to the backward pass.

    Attributes:
        responses: rows of the stages' response tensors, (9, blocks) each.
        scale: of the encoding, or None.
        unit: the embeddings, divided by their norm where that is asked for.
        norm: the norms, (..., 1), or None.
        short: which embeddings are too short to be divided, or None.
        t: tanh(scale x) of the encoding, (..., d).
        cosines: of the qubits' angles: those of the encoding first, then those that each stage writes.
        sines: likewise.
        stages: one a stage.
    """

    responses: Sequence[Tensor]
    scale: Tensor | None
    unit: Tensor
    norm: Tensor | None
    short: Tensor | None
    t: Tensor
    cosines: list[Tensor]
    sines: list[Tensor]
    stages: list[StageTape]


class TiledPass:
    """A plan's arithmetic on a piece of a batch.

    Args:
        gather: the plan's reads.
        normalize: whether embeddings are divided by their norm.
    """

    def __init__(self, gather: PlanGather, normalize: bool) -> None:
        self._output, self._normalize = gather.output, normalize
        # ModuleList hides the type of what it holds.
        self._reads: list[tuple[Gather, Gather]] = list(zip(gather.control, gather.kept, strict=True))  # type: ignore[arg-type]

    def forward(self, embeddings: Tensor, scale: Tensor | None, responses: Sequence[Tensor]) -> Tape:
        """Run all stages.

        Args:
            embeddings: (..., d); (rows, d) for the backward pass.
            scale: of the encoding, or None.
            responses: rows of the stages' response tensors, (9, blocks) each.
        """
        scale = None if scale is None else scale.to(embeddings)
        unit, norm, short = units_and_norms(embeddings) if self._normalize else (embeddings, None, None)
        t = elementary.tanh(unit if scale is None else unit * scale)
        cosine, sine = elementary.turned(t)
        cosines, sines = [cosine], [sine]
        stages: list[StageTape] = []
        for (read_c, read_b), rows in zip(self._reads, responses, strict=True):
            stage = _stage(rows, (read_c(cosines), read_c(sines)), (read_b(cosines), read_b(sines)))
            clamped = stage.z.clamp(-1, 1)
            stages.append(stage)
            cosines.append(clamped)
            sines.append((1 - clamped).mul_(clamped + 1).sqrt_())
        return Tape(responses, scale, unit, norm, short, t, cosines, sines, stages)

    def angles(self, tape: Tape, out: Tensor | None = None) -> Tensor:
        """The result, (..., k).

        Args:
            tape: of the forward pass.
            out: where to write it, or None.
        """
        # A compiler makes one pass of a polynomial, which is many otherwise. A qubit that met no block can be closer to
        # a pole than its cosine can say.
        if torch.compiler.is_compiling() and self._output.sources[0] != 0:
            return elementary.arccos(self._output(tape.cosines))
        return torch.atan2(self._output(tape.sines).abs(), self._output(tape.cosines), out=out)

    def backward(self, tape: Tape, upstream: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        """Gradients.

        Args:
            tape: of the forward pass.
            upstream: gradient by the angles, (rows, k).
            wanted: of embeddings, scale, and rows of each stage's responses: whether its gradient is.

        Returns:
            gradients in this order, None for what is not wanted or not there.
        """
        by_input, by_scale, *by_responses = wanted
        by_cos = [torch.zeros_like(value) for value in tape.cosines]
        by_sin = [torch.zeros_like(value) for value in tape.sines]
        read = self._output
        cos, sin = read(tape.cosines), read(tape.sines)
        share = upstream / (cos.square() + sin.square())
        read.add_to(by_cos, (sin.abs() * share).neg_())
        read.add_to(by_sin, share.mul_(cos).mul_(sin.sign()))
        found: list[Tensor | None] = []
        for number in reversed(range(len(tape.stages))):
            stage, rows = tape.stages[number], tape.responses[number]
            z, sine = tape.cosines[number + 1], tape.sines[number + 1]
            upward = _by_z(stage, z, sine, by_cos[number + 1], by_sin[number + 1])
            found.append(_by_rows(stage, upward) if by_responses[number] else None)
            if not any(wanted[: number + 2]):
                continue
            r = rows.unbind(0)
            read_c, read_b = self._reads[number]
            read_c.add_to(by_cos, upward * stage.parts[1])
            read_c.add_to(by_sin, upward * stage.parts[2])
            for totals, i in ((by_cos, 1), (by_sin, 2)):
                slope = torch.addcmul(r[i], r[i + 3], stage.control[0]).addcmul_(r[i + 6], stage.control[1])
                read_b.add_to(totals, slope.mul_(upward))
        if by_input or by_scale:
            found += _by_encoding(tape, by_cos[0], by_sin[0], by_scale, by_input)
        else:
            found += [None, None]
        return found[::-1]


def _stage(rows: Tensor, control: tuple[Tensor, Tensor], kept: tuple[Tensor, Tensor]) -> StageTape:
    r = rows.unbind(0)
    one, cos, sin = (torch.addcmul(r[i], r[i + 1], kept[0]).addcmul_(r[i + 2], kept[1]) for i in (0, 3, 6))
    return StageTape(control, kept, (one, cos, sin), torch.addcmul(one, cos, control[0]).addcmul_(sin, control[1]))


def _by_z(stage: StageTape, z: Tensor, sine: Tensor, by_cos: Tensor, by_sin: Tensor) -> Tensor:
    """Gradient by a stage's values, given those by its clamped cosine ``z`` and its sine."""
    # d sqrt(1 - z^2) / dz = -z / sqrt(1 - z^2), and 0 where the root is 0, as `reprepare` has it.
    slope = (z * sine).div_((sine * sine).clamp_min_(LEAST_SQUARE))
    total = by_cos.addcmul_(by_sin, slope, value=-1)
    return total.masked_fill_(stage.z != z, 0)


def _by_encoding(tape: Tape, by_cos: Tensor, by_sin: Tensor, scale: bool, embeddings: bool) -> list[Tensor | None]:
    """Gradients by scale and embeddings, as far as wanted."""
    by_angle = by_sin.mul_(tape.cosines[0]).addcmul_(by_cos, tape.sines[0], value=-1)
    # The angle is -pi/2 (1 + t), and the slope of tanh is 1 - t^2.
    gradient = (tape.t * tape.t).sub_(1).mul_(by_angle).mul_(math.pi / 2)
    by_scale = torch.dot(gradient.flatten(), tape.unit.flatten()) if scale and tape.scale is not None else None
    if not embeddings:
        return [by_scale, None]
    if tape.scale is not None:
        gradient.mul_(tape.scale)
    if tape.norm is not None:
        # Along the embedding nothing changes.
        along = (gradient * tape.unit).sum(dim=-1, keepdim=True)
        gradient.addcmul_(tape.unit, along, value=-1).div_(tape.norm)
        if tape.short is not None:
            gradient.masked_fill_(tape.short, 0)
    return [by_scale, gradient]


def _by_rows(stage: StageTape, upward: Tensor) -> Tensor:
    (cos_c, sin_c), (cos_b, sin_b) = stage.control, stage.kept
    sums = []
    for weighted in (upward, upward * cos_c, upward * sin_c):
        sums += [weighted.sum(dim=0), (weighted * cos_b).sum(dim=0), (weighted * sin_b).sum(dim=0)]
    return torch.stack(sums)
