"""Cost of measuring blocks on a simulator, by the number of blocks side by side, as ratios to one block a circuit.

Run: ``python benchmarks/packing.py --device lightning.qubit``.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from hybrid_qproj import DeviceSpec, circuits
from hybrid_qproj.blocks.executor import BlockExecutor
from hybrid_qproj.blocks.response import block_responses


def main() -> None:
    """Measure the widths in turn, several times, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="lightning.qubit")
    parser.add_argument("--widths", type=int, nargs="+", default=[1, 2, 4, 6, 8])
    parser.add_argument("--blocks", type=int, default=48)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    ansatz = circuits.get("u_cu")
    weights = ansatz.initialize("random", arguments.blocks, torch.Generator().manual_seed(0))
    spec = DeviceSpec.parse(arguments.device)
    executors = {width: BlockExecutor(ansatz, spec.replace(pack=width)) for width in arguments.widths}
    times: dict[int, list[float]] = {width: [] for width in executors}
    with torch.no_grad():
        for repeat in range(arguments.repeats + 1):
            for width, executor in executors.items():
                start = time.perf_counter()
                block_responses(executor, weights)
                # The first round builds devices.
                if repeat:
                    times[width].append(time.perf_counter() - start)
    base = statistics.median(times[arguments.widths[0]])
    print(f"{spec}, {arguments.blocks} u_cu blocks, {9 * arguments.blocks} block circuits, seed 0")
    for width, seconds in times.items():
        low, high = min(seconds) / base, max(seconds) / base
        print(f"pack={width}: {statistics.median(seconds) / base:.2f} ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
