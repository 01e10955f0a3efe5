"""Fidelity of all pairs on a GPU: kernels that keep a tile of pairs in registers and read each angle once a tile.

Tile by tile with torch, as on a CPU, a GPU would write every intermediate product to memory. Triton comes with torch's
CUDA builds; nothing imports this module before angles lie on a GPU.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from hybrid_qproj._util.gpu import current

PAIRS = {torch.float32: (32, 128), torch.float64: (128, 64)}
"""Rows and columns of a program of the forward kernel, whose products stay in registers. In single precision the
fastest of ten on an H100: docs/results/gpu-kernels.md."""
WARPS = 4
QUBITS, ROWS_BACK, COLUMNS_BACK = 8, 64, 16
"""Qubits and pairs of a step of the backward kernel."""


# Bits of float32 and float64: of the fraction, and those of 1.
_BITS = {torch.float32: (23, 127), torch.float64: (52, 1023)}


@triton.jit
def _log_products(  # type: ignore[no-untyped-def]
    tan_a, tan_b, log_a, log_b, out, orthogonal, n, m, groups,
    TINY: tl.constexpr, GROUP: tl.constexpr, FRACTION: tl.constexpr, BIAS: tl.constexpr,
    INTEGER: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr,
):  # fmt: skip
    rows = tl.program_id(0) * BM + tl.arange(0, BM)
    columns = tl.program_id(1) * BN + tl.arange(0, BN)
    # Tile after tile, and in each qubit after qubit: from one to the next is a constant.
    at_a = tan_a + tl.program_id(0).to(tl.int64) * groups * GROUP * BM + tl.arange(0, BM)
    at_b = tan_b + tl.program_id(1).to(tl.int64) * groups * GROUP * BN + tl.arange(0, BN)
    product = (tl.load(log_a + rows) * 0 + 1)[:, None] + (tl.load(log_b + columns) * 0)[None, :]
    exponent = tl.zeros((BM, BN), tl.int32)
    one: tl.constexpr = BIAS << FRACTION
    for _ in range(groups):
        for qubit in tl.static_range(0, GROUP):
            product *= tl.load(at_a + qubit * BM)[:, None] * tl.load(at_b + qubit * BN)[None, :] + 1
        at_a += GROUP * BM
        at_b += GROUP * BN
        # Orthogonal qubits must show, though the other factors may double the product: a 0 stays.
        product = tl.where(product < TINY, 0.0, product)
        # In place of a logarithm a group: its exponent is put aside, and what is left lies in [1, 2).
        bits = product.to(INTEGER, bitcast=True)
        exponent += (bits >> FRACTION).to(tl.int32) - BIAS
        left = ((bits & ((1 << FRACTION) - 1)) | one).to(product.dtype, bitcast=True)
        # NaN stays, too.
        product = tl.where(product > 0, left, product * 0)
    of_a, of_b = rows < n, columns < m
    total = tl.load(log_a + rows)[:, None] + tl.load(log_b + columns)[None, :]
    total += 2 * (tl.log(tl.where(product == 0, 1.0, product)) + exponent.to(product.dtype) * 0.6931471805599453)
    # A sum of rounded squares can exceed one by an ulp; what no logarithm can be is done again by `_exact_logs`.
    total = tl.where(total > 0, 0.0, total)
    found = (product == 0) & of_a[:, None] & of_b[None, :]
    place = rows.to(tl.int64)[:, None] * m + columns[None, :]
    tl.store(out + place, tl.where(found, 1.0, total), of_a[:, None] & of_b[None, :])
    any_found = tl.sum(tl.sum(found.to(tl.int32), 1), 0)
    tl.store(orthogonal + tl.program_id(0) * tl.num_programs(1) + tl.program_id(1), any_found)


@triton.jit
def _exact_logs(  # type: ignore[no-untyped-def]
    angles_a, angles_b, out, orthogonal, n, m, k, LEAST: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr
):
    if tl.load(orthogonal + tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)) > 0:
        columns = tl.program_id(1) * BN + tl.arange(0, BN)
        for step in range(BM):
            row = tl.program_id(0) * BM + step
            of_b = (columns < m) & (row < n)
            place = out + row.to(tl.int64) * m + columns
            value = tl.load(place, of_b, 0.0)
            if tl.sum((value > 0).to(tl.int32), 0) > 0:
                exact = value * 0
                here_a, here_b = angles_a + row.to(tl.int64) * k, angles_b + columns.to(tl.int64) * k
                for _ in range(k):
                    half = tl.load(here_a) / 2 - tl.load(here_b, of_b, 0.0) / 2
                    exact += tl.log(tl.maximum(tl.abs(tl.cos(half)), LEAST))
                    here_a += 1
                    here_b += 1
                tl.store(place, tl.where(value > 0, 2 * exact, value), of_b)


@triton.jit
def _gradient(  # type: ignore[no-untyped-def]
    cos_a, sin_a, cos_b, sin_b, upstream, by_a, n, m, k, by_row, by_column,
    LEAST: tl.constexpr, QUBITS: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr,
):  # fmt: skip
    rows = tl.program_id(0) * BM + tl.arange(0, BM)
    qubits = tl.program_id(1) * QUBITS + tl.arange(0, QUBITS)
    place = qubits.to(tl.int64)[:, None] * n + rows[None, :]
    of_a = (qubits < k)[:, None] & (rows < n)[None, :]
    c, s = tl.load(cos_a + place, of_a, 0.0)[:, :, None], tl.load(sin_a + place, of_a, 0.0)[:, :, None]
    total = tl.sum(c * 0, 2)
    for left in range(0, m, BN):
        columns = left + tl.arange(0, BN)
        there = qubits.to(tl.int64)[:, None] * m + columns[None, :]
        of_b = (qubits < k)[:, None] & (columns < m)[None, :]
        cos, sin = tl.load(cos_b + there, of_b, 0.0)[:, None, :], tl.load(sin_b + there, of_b, 0.0)[:, None, :]
        g = tl.load(
            upstream + rows.to(tl.int64)[:, None] * by_row + columns.to(tl.int64)[None, :] * by_column,
            (rows < n)[:, None] & (columns < m)[None, :],
            0.0,
        )
        overlap = c * cos + s * sin
        inside = tl.abs(overlap) > LEAST
        # d log F / d theta = -sin((theta - phi)/2) / cos((theta - phi)/2)
        slope = (c * sin - s * cos) / tl.where(inside, overlap, 1.0)
        total += tl.sum(tl.where(inside, g[None, :, :] * slope, 0.0), 2)
    tl.store(by_a + place, total, of_a)


def log_products(
    a: tuple[Tensor, Tensor],
    b: tuple[Tensor, Tensor],
    angles: tuple[Tensor, Tensor],
    group: int,
    tiny: float,
    least: float,
) -> Tensor:
    """Log fidelities of all pairs.

    Args:
        a: of the rows, tan(theta'/2), (k, n), and the sums of 2 log cos(theta'/2) over groups of qubits, (groups, n).
        b: the same of the columns, (k, m) and (groups, m).
        angles: of rows and columns, (n, k) and (m, k), for pairs of which some qubits are orthogonal.
        group: qubits whose overlaps are multiplied before a logarithm.
        tiny: a product below it has orthogonal qubits.
        least: least overlap of two qubits.

    Returns:
        log F <= 0, (n, m).
    """
    (tan_a, logs_a), (tan_b, logs_b) = a, b
    (k, n), m = tan_a.shape, tan_b.shape[1]
    out = tan_a.new_empty(n, m)
    if not out.numel():
        return out
    height, width = PAIRS[out.dtype]
    # Padded, so that no load is masked: a tangent of 0 gives a factor of 1.
    tan_a, logs_a = _tiled(tan_a, group, height), _tiled(logs_a.sum(dim=0)[None], 1, height)
    tan_b, logs_b = _tiled(tan_b, group, width), _tiled(logs_b.sum(dim=0)[None], 1, width)
    fraction, bias = _BITS[out.dtype]
    grid = triton.cdiv(n, height), triton.cdiv(m, width)
    orthogonal = torch.empty(grid, dtype=torch.int32, device=out.device)
    with current(out):
        _log_products[grid](
            tan_a, tan_b, logs_a, logs_b, out, orthogonal,
            n, m, tan_a.shape[1] // group,
            TINY=tiny, GROUP=group, FRACTION=fraction, BIAS=bias,
            INTEGER=tl.int32 if out.dtype == torch.float32 else tl.int64, BM=height, BN=width, num_warps=WARPS,
        )  # fmt: skip
        _exact_logs[grid](*(x.contiguous() for x in angles), out, orthogonal, n, m, k, LEAST=least, BM=height, BN=width)
    return out


def _tiled(values: Tensor, rows: int, columns: int) -> Tensor:
    """Tiles of this many columns, (tiles, rows, columns), with zeros up to multiples of both numbers."""
    padded = torch.nn.functional.pad(values, (0, -values.shape[1] % columns, 0, -len(values) % rows))
    return padded.unflatten(1, (-1, columns)).transpose(0, 1).contiguous()


def gradients(
    a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor], upstream: Tensor, least: float
) -> tuple[Tensor, Tensor]:
    """Gradients of log fidelities by the angles.

    Args:
        a: amplitudes cos(theta/2) and sin(theta/2) of the rows, (k, n) each.
        b: the same of the columns, (k, m) each.
        upstream: gradient by the log fidelities, (n, m).
        least: overlap at which a qubit's is cut off.

    Returns:
        gradients by the angles of the rows, (n, k), and of the columns, (m, k).
    """
    return _by_rows(a, b, upstream, least).T, _by_rows(b, a, upstream.T, least).T


def _by_rows(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor], upstream: Tensor, least: float) -> Tensor:
    (k, n), m = a[0].shape, b[0].shape[1]
    found = torch.zeros_like(a[0])
    if upstream.numel():
        grid = (triton.cdiv(n, ROWS_BACK), triton.cdiv(k, QUBITS))
        with current(found):
            _gradient[grid](
                *a, *b, upstream, found, n, m, k, *upstream.stride(),
                LEAST=least, QUBITS=QUBITS, BM=ROWS_BACK, BN=COLUMNS_BACK,
            )  # fmt: skip
    return found
