"""Times on a GPU, and the two ceilings that everything is compared with: a copy, and a float32 matrix product."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from benchmarks.measure import Run


def seconds(run: Run, repeats: int = 20, warm: int = 3) -> float:
    """Median time of a run on the device, by its own clock; a CPU's by the wall's."""
    for _ in range(warm):
        run()
    if not torch.cuda.is_available():
        return statistics.median(_wall(run) for _ in range(repeats))
    torch.cuda.synchronize()
    marks = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(repeats)]
    for start, end in marks:
        start.record()
        run()
        end.record()
    torch.cuda.synchronize()
    return statistics.median(start.elapsed_time(end) for start, end in marks) / 1000


def _wall(run: Run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def copy_bandwidth(device: str, numbers: int) -> float:
    """Bytes read and written a second by a copy of float32 numbers."""
    x = torch.randn(numbers, device=device)
    y = torch.empty_like(x)
    return 8 * numbers / seconds(lambda: y.copy_(x))


def matrix_rate(device: str, size: int, dtype: torch.dtype = torch.float32) -> float:
    """Floating point operations a second of a square matrix product, TF32 off."""
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    torch.backends.cuda.matmul.allow_tf32 = False
    return 2 * size**3 / seconds(lambda: a @ b)


def peak_memory_of(run: Callable[[], object]) -> float:
    """Bytes of the GPU's memory that a run takes beside what is held; 0 without a GPU."""
    if not torch.cuda.is_available():
        return 0.0
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    held = torch.cuda.memory_allocated()
    run()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - held
