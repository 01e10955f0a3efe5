"""The head's arithmetic against a linear head and complex amplitudes; its growth with the batch, and its memory."""

from __future__ import annotations

import copy
import statistics
import subprocess
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.measure import Section, interleaved, peak_memory, reset_peak_memory
from benchmarks.peers.complex_head import ComplexHead
from hybrid_qproj import ClassicalProjection, QuantumProjection

D, K, ROWS = 768, 256, 4096
DIRECT_ROWS = 16
FITTED = 2000
BATCHES = (256, 1024, 4096, 16384, 65536)


class Arithmetic(nn.Module):
    """A quantum head without its circuits: response tensors are its parameters."""

    def __init__(self, head: QuantumProjection, compiled: bool) -> None:
        super().__init__()
        self.projector = copy.deepcopy(head.projector)
        if compiled:
            self.projector.compile()
        self.responses = nn.ParameterList(r.detach().clone() for r in head.responses())

    def forward(self, x: Tensor) -> Tensor:
        return self.projector(x, None, list(self.responses))


def forward(head: nn.Module, x: Tensor) -> None:
    """A forward pass without gradients."""
    with torch.no_grad():
        head(x)


def step(head: nn.Module, x: Tensor) -> None:
    """A forward and a backward pass, gradients by the embeddings too, as where an encoder trains."""
    head.zero_grad(set_to_none=True)
    x.grad = None
    head(x).sum().backward()


def measure(device: str = "cpu") -> Section:
    """Run the benchmark."""
    torch.manual_seed(0)
    section = Section(f"Head, {D} to {K}", f"{ROWS:,} embeddings, float32, published chain")
    head = QuantumProjection.paper(D, K).to(device)
    eager, compiled = (Arithmetic(head, compiled).to(device) for compiled in (False, True))
    linear = ClassicalProjection(D, K).to(device)
    amplitudes = ComplexHead(head.plan, [layer.weights for layer in head.layers]).to(device)
    x = torch.randn(ROWS, D, device=device)
    torch.testing.assert_close(eager(x[:8]), amplitudes(x[:8]), atol=1e-4, rtol=0)
    leaf = x.clone().requires_grad_()
    for name, run, peer_goal, linear_goal in (
        ("forward", forward, ">= 80", ("<= 0.25", "<= 0.6")),
        ("forward and backward", step, ">= 80", ("<= 0.5", "<= 1.2")),
    ):
        times = interleaved(
            {
                "linear": lambda run=run: run(linear, leaf),
                "compiled": lambda run=run: run(compiled, leaf),
                "eager": lambda run=run: run(eager, leaf),
            },
            15,
        )
        section.ratio(f"{name}: compiled / (linear + tanh)", times["compiled"], times["linear"], linear_goal[0])
        section.ratio(f"{name}: uncompiled / (linear + tanh)", times["eager"], times["linear"], linear_goal[1])
        section.ratio(f"{name}: uncompiled / compiled", times["eager"], times["compiled"], "<= 2")
        times = interleaved(
            {"linear": lambda run=run: run(linear, leaf), "head": lambda run=run: run(head.train(), leaf)}
        )
        section.ratio(f"{name}: whole head with circuits, uncompiled / (linear + tanh)", times["head"], times["linear"])
        times = interleaved(
            {"compiled": lambda run=run: run(compiled, leaf), "complex": lambda run=run: run(amplitudes, leaf)}, 3
        )
        section.ratio(f"{name}: complex amplitudes / compiled", times["complex"], times["compiled"], peer_goal)
    treelet = QuantumProjection.fit(torch.randn(FITTED, D), K).to(device)
    pieces, kernels = (Arithmetic(treelet, compiled).to(device) for compiled in (False, True))
    times = interleaved({"pieces": lambda: forward(pieces, x), "kernels": lambda: forward(kernels, x)}, 5)
    section.ratio("forward of a fitted treelet: compiled / uncompiled", times["kernels"], times["pieces"])
    direct = QuantumProjection.paper(D, K, device="default.qubit?mode=direct").to(device).eval()
    times = interleaved(
        {"head": lambda: forward(head.eval(), x), "direct": lambda: forward(direct, x[:DIRECT_ROWS])}, 3
    )
    # A circuit a block and row, so a few rows stand for all.
    section.ratio(
        "forward: direct mode on default.qubit / head", times["direct"], times["head"], "", ROWS / DIRECT_ROWS
    )
    _growth(section, eager, device)
    if device == "cpu":
        _memory(section)
    return section


def _growth(section: Section, head: nn.Module, device: str) -> None:
    each = {}
    # One size after the other: a large batch would leave the small one cold caches.
    for rows in BATCHES:
        x = torch.randn(rows, D, device=device)
        each[rows] = statistics.median(interleaved({"head": lambda x=x: forward(head, x)}, 15)["head"]) / rows
    base = each[4096]
    section.figures["time an embedding, by batch"] = {rows: value / base for rows, value in each.items()}
    text = ", ".join(f"{rows:,}: {value / base:.2f}" for rows, value in each.items())
    section.lines.append(("time an embedding by batch, against 4,096 (uncompiled)", text, "within 0.8 to 1.2"))


def _memory(section: Section) -> None:
    for name in ("forward", "step"):
        peaks = {}
        for rows in (16384, 65536):
            command = [sys.executable, "-m", "benchmarks.head", name, str(rows)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
            peaks[rows] = float(done.stdout)
        text = ", ".join(f"{rows:,} rows: {peak:.2f}" for rows, peak in peaks.items())
        section.figures[f"memory of {name}"] = peaks
        section.lines.append((f"{name}: memory beside the input / (input + output)", text, "<= 3"))


def peak(name: str, rows: int) -> float:
    """Peak memory of one pass in this process beside its input, as a multiple of input and output."""
    head = QuantumProjection.paper(D, K)
    run = {"forward": forward, "step": step}[name]
    run(head, torch.randn(8192, D).requires_grad_())
    x = torch.randn(rows, D).requires_grad_()
    reset_peak_memory()
    before = peak_memory()
    run(head, x)
    return (peak_memory() - before) / (4 * rows * (D + K))


if __name__ == "__main__":
    print(peak(sys.argv[1], int(sys.argv[2])))
