"""Time of the head against its peers, as ratios in one run. Absolute times depend on the machine and are not printed.

Run: ``make bench``, or ``python benchmarks/head.py --rows 4096``.
"""

from __future__ import annotations

import argparse
import copy
import platform
import statistics
import time
from collections.abc import Callable

import torch

from hybrid_qproj import ClassicalProjection, QuantumProjection

D, K = 768, 256
DIRECT_ROWS = 16


def seconds(run: Callable[[], object], repeats: int) -> list[float]:
    """Wall time of each of several runs, after one that is not counted."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times


def step(head: torch.nn.Module, x: torch.Tensor) -> None:
    """A forward and a backward pass."""
    head(x).sum().backward()


def main() -> None:
    """Measure and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4096, help="embeddings a batch")
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    x = torch.randn(arguments.rows, D)
    quantum = QuantumProjection.paper(D, K).eval()
    linear = ClassicalProjection(D, K).eval()
    direct = QuantumProjection.paper(D, K, device="default.qubit?mode=direct").eval()
    print(f"{D} -> {K}, {arguments.rows} rows, float32, {torch.get_num_threads()} threads, seed 0")
    print(f"python {platform.python_version()}, torch {torch.__version__}")
    with torch.no_grad():
        ours = seconds(lambda: quantum(x), arguments.repeats)
        peer = seconds(lambda: linear(x), arguments.repeats)
        # Direct mode costs the same for every row, so a few rows stand for all.
        slow = seconds(lambda: direct(x[:DIRECT_ROWS]), 2)
    slow = [t * arguments.rows / DIRECT_ROWS for t in slow]
    compiled = copy.deepcopy(quantum)
    compiled.compile()
    with torch.no_grad():
        fast = seconds(lambda: compiled(x), arguments.repeats)
    # Gradients by the embeddings too, as where an encoder trains.
    leaf = x.clone().requires_grad_()
    quantum.train()
    compiled.train()
    ours_step = seconds(lambda: step(quantum, leaf), arguments.repeats)
    fast_step = seconds(lambda: step(compiled, leaf), arguments.repeats)
    peer_step = seconds(lambda: step(linear, leaf), arguments.repeats)
    for label, a, b in (
        ("forward, head / (linear + tanh)", ours, peer),
        ("forward, compiled head / (linear + tanh)", fast, peer),
        ("forward + backward, head / (linear + tanh)", ours_step, peer_step),
        ("forward + backward, compiled head / (linear + tanh)", fast_step, peer_step),
        (f"forward, direct mode (from {DIRECT_ROWS} rows) / head", slow, ours),
    ):
        ratios = sorted(p / q for p in a for q in b)
        print(
            f"{label}: median {statistics.median(a) / statistics.median(b):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )


if __name__ == "__main__":
    main()
