"""Log-fidelity of all pairs against a matrix product of the same shape, its error, and memory in a large case."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.measure import Section, interleaved, peak_memory
from hybrid_qproj.similarity.fidelity import pairwise_log_fidelity
from hybrid_qproj.similarity.topk import CHUNK, top_k_fidelity

QUERIES, DOCUMENTS, WIDTH = 64, 20_000, 256
LARGE = (1000, 1_000_000, 128)


def angles(rows: int, width: int, seed: int, device: str = "cpu") -> Tensor:
    """Angles spread as those of a head are: around pi/2, by 0.4 rad."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(rows, width, generator=generator).mul_(0.4).add_(math.pi / 2)
    return drawn.clamp_(0.01, math.pi - 0.01).to(device)


def measure(device: str = "cpu") -> Section:
    """Run the benchmark."""
    section = Section("Log-fidelity of all pairs", f"{QUERIES} x {DOCUMENTS:,} x {WIDTH}, float32")
    a, b = angles(QUERIES, WIDTH, 0, device), angles(DOCUMENTS, WIDTH, 1, device)
    with torch.no_grad():
        times = interleaved({"matmul": lambda: a @ b.T, "ours": lambda: pairwise_log_fidelity(a, b)})
        error = (pairwise_log_fidelity(a, b) - pairwise_log_fidelity(a.double(), b.double())).abs().max().item()
    leaf, other = a.clone().requires_grad_(), b.clone().requires_grad_()
    steps = interleaved(
        {
            "matmul": lambda: (leaf @ other.T).sum().backward(),
            "ours": lambda: pairwise_log_fidelity(leaf, other).sum().backward(),
        },
        5,
    )
    section.ratio("forward / matmul", times["ours"], times["matmul"], "<= 6")
    section.ratio("forward and backward / matmul", steps["ours"], steps["matmul"])
    section.value("largest error of float32", error, f"{error:.1e}", "<= 1e-4")
    if device == "cpu":
        best_of_many(section)
        command = [sys.executable, "-m", "benchmarks.pairs"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
        gigabytes = float(done.stdout)
        label = "peak memory of " + " x ".join(f"{size:,}" for size in LARGE) + ", all scores kept"
        section.value(label, gigabytes, f"{gigabytes:.1f} GiB", "<= 24 GiB")
    return section


def normalised(rows: int, width: int, seed: int) -> Tensor:
    """Angles as a fitted head's are: 1 from pi/2, around 200 centres."""
    centres = torch.randn(200, width, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(rows, width, generator=generator)
    drawn += centres[torch.randint(len(centres), (rows,), generator=generator)]
    return torch.nn.functional.normalize(drawn, dim=1).add_(math.pi / 2)


def best_of_many(section: Section) -> None:
    """The 100 best of a million documents against the matrix product alone, in pieces of the same size."""
    rows, width = LARGE[1:]
    for name, draw in (("normalised outputs", normalised), ("spread by 0.4 rad", angles)):
        a, b = draw(QUERIES, width, 1), draw(rows, width, 2)

        def product(a: Tensor = a, b: Tensor = b) -> None:
            for part in b.split(CHUNK):
                a @ part.T

        with torch.no_grad():
            times = interleaved({"ours": lambda a=a, b=b: top_k_fidelity(a, b, 100), "matmul": product}, 3)
        goal = "<= 2" if draw is normalised else ""
        section.ratio(f"{QUERIES} queries, top 100 of {rows:,} x {width}, {name} / matmul", *times.values(), goal)


def large() -> float:
    """Peak memory of this process after the large case, in GiB."""
    queries, documents, width = LARGE
    a, b = angles(queries, width, 0), angles(documents, width, 1)
    with torch.no_grad():
        scores = pairwise_log_fidelity(a, b)
        best, _ = top_k_fidelity(a[:8], b, 10)
        torch.testing.assert_close(scores[:8].topk(10).values, best, atol=1e-4, rtol=0)
    return peak_memory() / 2**30


if __name__ == "__main__":
    print(large())
