"""Values, gradients and cost of training through a lightning device, against default.qubit.

``python benchmarks/lightning.py`` runs lightning.qubit; ``--device lightning.gpu`` is the check to run where there is
an NVIDIA GPU. Direct mode is measured on a few rows and extrapolated: it costs one
circuit a block and row.
"""

from __future__ import annotations

import argparse
import platform
import time
from importlib.metadata import version

import pennylane as qml
import torch

from hybrid_qproj import DeviceSpec, QuantumProjection

D, K = 768, 256
BATCH, TEXTS = 64, 6


def step(head: QuantumProjection, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Angles of a forward pass and the gradients of a backward pass."""
    angles = head(x)
    return angles.detach(), list(torch.autograd.grad(angles.sin().sum(), list(head.parameters())))


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="lightning.qubit")
    parser.add_argument("--blocks", type=int, default=16, help="outputs of the small head that values are compared on")
    parser.add_argument("--direct-rows", type=int, default=1, help="rows that direct mode is measured on")
    arguments = parser.parse_args()
    spec = DeviceSpec.parse(arguments.device)
    torch.manual_seed(0)
    print(f"{spec}; python {platform.python_version()}, torch {torch.__version__}, pennylane {version('pennylane')}, "
          f"lightning {version('pennylane-lightning')}, seed 0")  # fmt: skip
    if torch.cuda.is_available():
        print(torch.cuda.get_device_name())

    small = QuantumProjection(3 * arguments.blocks, arguments.blocks, init="random").double()
    x = torch.randn(5, 3 * arguments.blocks, dtype=torch.float64)
    exact, ours = step(small, x), step(small.to_device(spec), x)
    print(f"angles differ by at most {(exact[0] - ours[0]).abs().max():.1e} rad, gradients by "
          f"{max((a - b).abs().max() for a, b in zip(exact[1], ours[1], strict=True)):.1e}")  # fmt: skip

    head = QuantumProjection.paper(D, K, device=spec)
    blocks = head.plan.blocks
    counts = []
    for rows in (8, BATCH * TEXTS):
        with qml.Tracker(head.executor.device) as tracker:
            start = time.perf_counter()
            step(head, torch.randn(rows, D))
            interpolated = time.perf_counter() - start
        counts.append(int(tracker.totals["executions"]))
    print(f"circuits of a step at 8 and {BATCH * TEXTS} rows: {counts[0]:,} and {counts[1]:,}")

    head.to_device(spec.replace(mode="direct"))
    start = time.perf_counter()
    step(head, torch.randn(arguments.direct_rows, D))
    direct = (time.perf_counter() - start) * BATCH * TEXTS / arguments.direct_rows
    print(f"block circuits of a step, interpolated : direct = {9 * blocks:,} : {BATCH * TEXTS * blocks:,} "
          f"(1 : {BATCH * TEXTS / 9:.1f})")  # fmt: skip
    print(f"time of a step, direct (extrapolated from {arguments.direct_rows} rows) / interpolated: "
          f"{direct / interpolated:.1f}")  # fmt: skip


if __name__ == "__main__":
    main()
