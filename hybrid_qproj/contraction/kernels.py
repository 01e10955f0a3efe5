"""The head's arithmetic on a GPU: one kernel from embeddings to angles, and one for all gradients.

For plans that are a `Forest`. Each number of the embeddings is read once and each angle written once; what is between
stays in registers, and the backward pass computes it again. Triton comes with torch's CUDA builds; nothing imports this
module before embeddings lie on a GPU.
"""

# Tuples grow in loops that Triton unrolls.
# mypy: disable-error-code="assignment, var-annotated"
from __future__ import annotations

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from hybrid_qproj._util.gpu import current
from hybrid_qproj.contraction.forest import Forest


class Tile(NamedTuple):
    """How a kernel is cut up.

    Attributes:
        rows: that a program holds at once.
        outputs: likewise.
        warps: of a program.
        programs: at most, for each tile of outputs; each goes on to further rows.
    """

    rows: int
    outputs: int
    warps: int
    programs: int


# The fastest of some dozen each on an H100: docs/results/gpu-kernels.md.
FORWARD = Tile(1, 128, 2, 4224)
BACKWARD = Tile(2, 128, 4, 1056)

# Chebyshev fits in t^2, off by 3e-11, 3e-10 and 3e-8 at most; the tests hold them against float64.
S0, S1, S2 = tl.constexpr(1.5707963267680645), tl.constexpr(-0.6459640955740901), tl.constexpr(0.07969260368538653)
S3, S4, S5 = tl.constexpr(-0.004681657706889848), tl.constexpr(0.0001602545899051696), tl.constexpr(-3.431788892764e-06)
C0, C1, C2 = tl.constexpr(0.9999999997791529), tl.constexpr(-1.2337005342322083), tl.constexpr(0.25366932217253135)
C3, C4, C5 = (
    tl.constexpr(-0.02086268670884639),
    tl.constexpr(0.0009177229238179763),
    tl.constexpr(-2.3824152300733e-05),
)
A0, A1, A2 = tl.constexpr(1.5707962982155776), tl.constexpr(-0.21459815556454082), tl.constexpr(0.08896885320024693)
A3, A4, A5 = tl.constexpr(-0.05011430310297804), tl.constexpr(0.030722122415467013), tl.constexpr(-0.0168410524136533)
A6, A7 = tl.constexpr(0.0064915214282592615), tl.constexpr(-0.001211737770063337)
HALF_PI, PI = tl.constexpr(1.5707963267948966), tl.constexpr(3.141592653589793)


@triton.jit
def _encoded(x):  # type: ignore[no-untyped-def]
    """Tanh, and cosine and sine of the angle -pi/2 (1 + tanh x), which are odd and even polynomials in it."""
    t = 1 - 2 / (1 + tl.exp(2 * x))
    u = t * t
    sine = ((((S5 * u + S4) * u + S3) * u + S2) * u + S1) * u + S0
    cosine = ((((C5 * u + C4) * u + C3) * u + C2) * u + C1) * u + C0
    return t, -t * sine, -cosine


@triton.jit
def _contracted(r0, r1, r2, r3, r4, r5, r6, r7, r8, cos_c, sin_c, cos_b, sin_b):  # type: ignore[no-untyped-def]
    """A response tensor with (1, cos, sin) of control and kept qubit."""
    by_one = r0 + r1 * cos_b + r2 * sin_b
    by_cos = r3 + r4 * cos_b + r5 * sin_b
    by_sin = r6 + r7 * cos_b + r8 * sin_b
    return by_one + by_cos * cos_c + by_sin * sin_c


@triton.jit
def _arccos(z):  # type: ignore[no-untyped-def]
    u = tl.abs(z)
    p = ((((((A7 * u + A6) * u + A5) * u + A4) * u + A3) * u + A2) * u + A1) * u + A0
    found = tl.sqrt(1 - u) * p
    return tl.where(z < 0, PI - found, found)


@triton.jit
def _forward(  # type: ignore[no-untyped-def]
    x, scale, responses, features, blocks, out, bad, n, d, k, step,
    LEAVES: tl.constexpr, MERGES: tl.constexpr, OFFSETS: tl.constexpr, WHOLE: tl.constexpr, SCALED: tl.constexpr,
    BM: tl.constexpr, BN: tl.constexpr,
):  # fmt: skip
    outputs = tl.program_id(1) * BN + tl.arange(0, BN)
    there = outputs < k
    factor = tl.load(scale) if SCALED else 1.0
    r = ()
    met = ()
    for merge in tl.static_range(0, LEAVES - 1):
        block = tl.load(blocks + merge * k + outputs, there, -1)
        met = met + (block[None, :] >= 0,)
        for entry in tl.static_range(0, 9):
            r = r + (tl.load(responses + block * 9 + entry, block >= 0, 0.0)[None, :],)
    watched = tl.zeros((BM, BN), tl.float32)
    for start in range(tl.program_id(0) * BM, n, step):
        rows = start + tl.arange(0, BM)
        inside = (rows < n)[:, None] & there[None, :]
        base = x + rows.to(tl.int64)[:, None] * d
        cos = ()
        sin = ()
        for leaf in tl.static_range(0, LEAVES):
            if WHOLE:
                value = tl.load(base + (outputs + OFFSETS[leaf])[None, :], inside, 0.0).to(tl.float32)
            else:
                feature = tl.load(features + leaf * k + outputs, there, -1)
                value = tl.load(base + feature[None, :], inside & (feature >= 0)[None, :], 0.0).to(tl.float32)
            # 0, but NaN of what is not finite.
            watched += value * 0
            _, c, s = _encoded(value * factor)
            cos = cos + (c,)
            sin = sin + (s,)
        for merge in tl.static_range(0, LEAVES - 1):
            cos_c, sin_c = cos[MERGES[2 * merge]], sin[MERGES[2 * merge]]
            cos_b, sin_b = cos[MERGES[2 * merge + 1]], sin[MERGES[2 * merge + 1]]
            raw = _contracted(
                r[9 * merge], r[9 * merge + 1], r[9 * merge + 2],
                r[9 * merge + 3], r[9 * merge + 4], r[9 * merge + 5],
                r[9 * merge + 6], r[9 * merge + 7], r[9 * merge + 8],
                cos_c, sin_c, cos_b, sin_b,
            )  # fmt: skip
            z = tl.clamp(raw, -1.0, 1.0, propagate_nan=tl.PropagateNan.ALL)
            s = tl.sqrt((1 - z) * (1 + z))
            if not WHOLE:
                z = tl.where(met[merge], z, cos_b)
                s = tl.where(met[merge], s, sin_b)
            cos = cos + (z,)
            sin = sin + (s,)
        place = out + rows.to(tl.int64)[:, None] * k + outputs[None, :]
        tl.store(place, _arccos(cos[2 * LEAVES - 2]).to(out.dtype.element_ty), inside)
    if tl.sum(tl.sum(watched, 1), 0) != 0:
        tl.store(bad, 1)


@triton.jit
def _backward(  # type: ignore[no-untyped-def]
    x, scale, responses, features, blocks, upstream, by_x, by_r, by_scale, n, d, k, step,
    LEAVES: tl.constexpr, MERGES: tl.constexpr, PLACES: tl.constexpr, OFFSETS: tl.constexpr, WHOLE: tl.constexpr,
    SCALED: tl.constexpr, OF_X: tl.constexpr, OF_R: tl.constexpr, OF_SCALE: tl.constexpr,
    BM: tl.constexpr, BN: tl.constexpr,
):  # fmt: skip
    program = tl.program_id(0)
    outputs = tl.program_id(1) * BN + tl.arange(0, BN)
    there = outputs < k
    factor = tl.load(scale) if SCALED else 1.0
    r = ()
    met = ()
    total = ()
    for merge in tl.static_range(0, LEAVES - 1):
        block = tl.load(blocks + merge * k + outputs, there, -1)
        met = met + (block[None, :] >= 0,)
        for entry in tl.static_range(0, 9):
            r = r + (tl.load(responses + block * 9 + entry, block >= 0, 0.0)[None, :],)
            if OF_R:
                total = total + (tl.zeros((BM, BN), tl.float32),)
    of_scale = tl.zeros((BM, BN), tl.float32)
    for start in range(program * BM, n, step):
        rows = start + tl.arange(0, BM)
        inside = (rows < n)[:, None] & there[None, :]
        base = rows.to(tl.int64)[:, None] * d
        given = ()
        tanh = ()
        cos = ()
        sin = ()
        inner = ()
        for leaf in tl.static_range(0, LEAVES):
            if WHOLE:
                value = tl.load(x + base + (outputs + OFFSETS[leaf])[None, :], inside, 0.0).to(tl.float32)
            else:
                feature = tl.load(features + leaf * k + outputs, there, -1)
                value = tl.load(x + base + feature[None, :], inside & (feature >= 0)[None, :], 0.0).to(tl.float32)
            t, c, s = _encoded(value * factor)
            given = given + (value,)
            tanh = tanh + (t,)
            cos = cos + (c,)
            sin = sin + (s,)
        for merge in tl.static_range(0, LEAVES - 1):
            cos_c, sin_c = cos[MERGES[2 * merge]], sin[MERGES[2 * merge]]
            cos_b, sin_b = cos[MERGES[2 * merge + 1]], sin[MERGES[2 * merge + 1]]
            raw = _contracted(
                r[9 * merge], r[9 * merge + 1], r[9 * merge + 2],
                r[9 * merge + 3], r[9 * merge + 4], r[9 * merge + 5],
                r[9 * merge + 6], r[9 * merge + 7], r[9 * merge + 8],
                cos_c, sin_c, cos_b, sin_b,
            )  # fmt: skip
            z = tl.clamp(raw, -1.0, 1.0, propagate_nan=tl.PropagateNan.ALL)
            # Clamped values have no gradient.
            inner = inner + (raw == z,)
            s = tl.sqrt((1 - z) * (1 + z))
            if not WHOLE:
                z = tl.where(met[merge], z, cos_b)
                s = tl.where(met[merge], s, sin_b)
            cos = cos + (z,)
            sin = sin + (s,)
        place = rows.to(tl.int64)[:, None] * k + outputs[None, :]
        g = tl.load(upstream + place, inside, 0.0).to(tl.float32)
        # By atan2(|sin|, cos), as the plain operations have it. Nodes in the order in which their gradients are known.
        last = sin[2 * LEAVES - 2]
        by_cos_of = (-tl.abs(last) * g,)
        by_sin_of = (tl.where(last < 0, -cos[2 * LEAVES - 2], cos[2 * LEAVES - 2]) * g,)
        added = ()
        for merge in tl.static_range(LEAVES - 2, -1, -1):
            cos_c, sin_c = cos[MERGES[2 * merge]], sin[MERGES[2 * merge]]
            cos_b, sin_b = cos[MERGES[2 * merge + 1]], sin[MERGES[2 * merge + 1]]
            by_z, by_s = by_cos_of[PLACES[LEAVES + merge]], by_sin_of[PLACES[LEAVES + merge]]
            steep = sin[LEAVES + merge] > 0
            slope = tl.where(steep, cos[LEAVES + merge] / tl.where(steep, sin[LEAVES + merge], 1.0), 0.0)
            up = tl.where(inner[merge], by_z - slope * by_s, 0.0)
            if not WHOLE:
                up = tl.where(met[merge], up, 0.0)
            if OF_R:
                for entry in tl.static_range(0, 9):
                    term = up
                    if entry // 3 == 1:
                        term = term * cos_c
                    if entry // 3 == 2:
                        term = term * sin_c
                    if entry % 3 == 1:
                        term = term * cos_b
                    if entry % 3 == 2:
                        term = term * sin_b
                    # In the order of this loop: merges from the last to the first.
                    added = added + (term,)
            of_cos_c = up * (r[9 * merge + 3] + r[9 * merge + 4] * cos_b + r[9 * merge + 5] * sin_b)
            of_sin_c = up * (r[9 * merge + 6] + r[9 * merge + 7] * cos_b + r[9 * merge + 8] * sin_b)
            of_cos_b = up * (r[9 * merge + 1] + r[9 * merge + 4] * cos_c + r[9 * merge + 7] * sin_c)
            of_sin_b = up * (r[9 * merge + 2] + r[9 * merge + 5] * cos_c + r[9 * merge + 8] * sin_c)
            if not WHOLE:
                of_cos_b = tl.where(met[merge], of_cos_b, by_z)
                of_sin_b = tl.where(met[merge], of_sin_b, by_s)
            by_cos_of = by_cos_of + (of_cos_c, of_cos_b)
            by_sin_of = by_sin_of + (of_sin_c, of_sin_b)
        if OF_R:
            summed = ()
            for entry in tl.static_range(0, 9 * (LEAVES - 1)):
                summed = summed + (total[entry] + added[entry],)
            total = summed
        for leaf in tl.static_range(0, LEAVES):
            # d cos = pi/2 sin dt, d sin = -pi/2 cos dt, dt = (1 - t^2) scale dx
            by_angle = by_cos_of[PLACES[leaf]] * sin[leaf] - by_sin_of[PLACES[leaf]] * cos[leaf]
            by_scaled = HALF_PI * (1 - tanh[leaf]) * (1 + tanh[leaf]) * by_angle
            if OF_SCALE:
                of_scale += by_scaled * given[leaf]
            if OF_X:
                gradient = (by_scaled * factor).to(by_x.dtype.element_ty)
                if WHOLE:
                    tl.store(by_x + base + (outputs + OFFSETS[leaf])[None, :], gradient, inside)
                else:
                    feature = tl.load(features + leaf * k + outputs, there, -1)
                    tl.store(by_x + base + feature[None, :], gradient, inside & (feature >= 0)[None, :])
    if OF_R:
        for entry in tl.static_range(0, 9 * (LEAVES - 1)):
            where = by_r + ((program * (LEAVES - 1) + LEAVES - 2 - entry // 9) * 9 + entry % 9) * k + outputs
            tl.store(where, tl.sum(total[entry], 0), there)
    if OF_SCALE:
        tl.store(by_scale + program * tl.num_programs(1) + tl.program_id(1), tl.sum(tl.sum(of_scale, 1), 0))


def project(
    forest: Forest, x: Tensor, scale: Tensor | None, responses: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Angles of embeddings.

    Args:
        forest: the plan's program, its tables on the device of ``x``.
        x: embeddings, (rows, d), contiguous, float16, bfloat16 or float32; computed in float32.
        scale: of the encoding, float32, or None.
        responses: response tensors of all blocks, (blocks, 3, 3), float32.
        dtype: of the angles.

    Returns:
        angles, (rows, k), in [0, pi]; and whether a number of ``x`` is not finite, (1,), int32, 0 or 1.
    """
    (leaves, k), tile = forest.features.shape, FORWARD
    out, bad = x.new_empty(len(x), k, dtype=dtype), x.new_zeros(1, dtype=torch.int32)
    if out.numel():
        grid = _grid(len(x), k, tile)
        with current(x):
            _forward[grid](
                x, scale, responses, forest.features, forest.blocks, out, bad, *x.shape, k, grid[0] * tile.rows,
                LEAVES=leaves, MERGES=forest.merges, OFFSETS=forest.offsets, WHOLE=bool(forest.offsets),
                SCALED=scale is not None, BM=tile.rows, BN=tile.outputs, num_warps=tile.warps,
            )  # fmt: skip
    return out, bad


def gradients(
    forest: Forest,
    x: Tensor,
    scale: Tensor | None,
    responses: Tensor,
    upstream: Tensor,
    wanted: tuple[bool, bool, bool],
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Gradients by embeddings, scale and responses; sums are taken in an order that stays the same.

    Args:
        forest: as for `project`, and so the next three.
        x: embeddings.
        scale: of the encoding.
        responses: of the blocks.
        upstream: gradient by the angles, (rows, k), contiguous.
        wanted: which of the three are.

    Returns:
        gradients of the shapes and dtypes of ``x``, ``scale`` and ``responses``, None for those not wanted.
    """
    (leaves, k), tile = forest.features.shape, BACKWARD
    grid = _grid(len(x), k, tile)
    of_x, of_scale, of_r = wanted[0], wanted[1] and scale is not None, wanted[2]
    by_x = torch.empty_like(x) if of_x else None
    by_r = responses.new_zeros(grid[0], (leaves - 1) * 9, k) if of_r else None
    by_scale = responses.new_zeros(*grid) if of_scale else None
    if upstream.numel():
        with current(x):
            _backward[grid](
                x, scale, responses, forest.features, forest.blocks, upstream, by_x, by_r, by_scale,
                *x.shape, k, grid[0] * tile.rows,
                LEAVES=leaves, MERGES=forest.merges, PLACES=forest.places, OFFSETS=forest.offsets,
                WHOLE=bool(forest.offsets), SCALED=scale is not None, OF_X=of_x, OF_R=of_r, OF_SCALE=of_scale,
                BM=tile.rows, BN=tile.outputs, num_warps=tile.warps,
            )  # fmt: skip
    if by_r is not None:
        entries = by_r.sum(dim=0).view(leaves - 1, 9, k).transpose(1, 2).reshape(-1, 9)
        by_r = entries.index_select(0, forest.order).view_as(responses)
    return by_x, None if by_scale is None else by_scale.sum(), by_r


def _grid(rows: int, k: int, tile: Tile) -> tuple[int, int]:
    return max(1, min(triton.cdiv(rows, tile.rows), tile.programs)), triton.cdiv(k, tile.outputs)
