"""Time and peak memory of fitting a head to many rows: python benchmarks/fit_memory.py [rows] [width] [k].

The rows come from a memory-mapped file of random numbers. Pages of it that stay in memory are the system's cache and
can go at any time; what the fit itself holds is anonymous memory, whose peak is sampled beside it.
"""

from __future__ import annotations

import re
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import torch

from hybrid_qproj import QuantumProjection
from hybrid_qproj.fitting import moments_of

SAMPLE_S = 0.01
CHUNK = 1 << 14


def anonymous_bytes() -> int:
    """Anonymous memory of this process, from Linux' /proc."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    assert found is not None
    return 1024 * int(found[1])


def main() -> None:
    """Write random rows, fit, print."""
    rows, width, k = (*map(int, sys.argv[1:4]), *(1_000_000, 768, 128)[len(sys.argv) - 1 :])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "embeddings.npy"
        array = np.lib.format.open_memmap(path, "w+", np.float32, (rows, width))
        generator = np.random.default_rng(0)
        for start in range(0, rows, CHUNK):
            array[start : start + CHUNK] = generator.standard_normal((min(CHUNK, rows - start), width))
        del array
        embeddings = np.load(path, mmap_mode="r")
        before, peak, done = anonymous_bytes(), [0], threading.Event()

        def watch() -> None:
            while not done.wait(SAMPLE_S):
                peak[0] = max(peak[0], anonymous_bytes())

        watcher = threading.Thread(target=watch)
        watcher.start()
        start_s = time.perf_counter()
        moments = moments_of(embeddings)
        middle_s = time.perf_counter()
        head = QuantumProjection.fit(moments, k)
        end_s = time.perf_counter()
        done.set()
        watcher.join()
    print(
        f"{rows:,} x {width} to {k} ({head.plan.blocks} blocks, {torch.get_num_threads()} threads): moments "
        f"{middle_s - start_s:.1f} s, plan and angles {end_s - middle_s:.1f} s; anonymous memory "
        f"{before / 2**30:.2f} GiB before, {peak[0] / 2**30:.2f} GiB at its peak"
    )


if __name__ == "__main__":
    main()
