"""The quantum part of a training step: weights to response tensors, against circuits for every row of the batch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.measure import Section, interleaved
from benchmarks.peers import tensorcircuit_blocks, torchlayers, torchquantum_blocks
from hybrid_qproj import QuantumProjection
from hybrid_qproj.blocks.response import contract, exact_or_probed

ROWS, D, K = 384, 768, 256
# Circuits of TorchLayers, one by one: these many stand for all.
LAYER_ROWS, LAYER_BLOCKS = 2, 8


def measure(device: str = "cpu") -> Section:
    """Run the benchmark."""
    torch.manual_seed(0)
    head = QuantumProjection.paper(D, K).to(device)
    raw = torch.cat([layer.weights for layer in head.layers]).detach().requires_grad_()
    blocks = len(raw)
    inputs = (3 * torch.rand(ROWS, blocks, 2, device=device)).requires_grad_()
    section = Section(
        "Circuits of a training step", f"{blocks} u_cu blocks, {ROWS} rows, forward and backward, float32"
    )

    def responses() -> Tensor:
        raw.grad = None
        found = exact_or_probed(head.executor, raw)
        found.sum().backward()
        return found

    def ours(inputs: Tensor, raw: Tensor) -> Tensor:
        found = exact_or_probed(head.executor, raw)
        (control, kept) = inputs.unbind(-1)
        values = contract(found, (control.cos(), control.sin()), (kept.cos(), kept.sin()))
        values.sum().backward()
        return values.detach()

    expected = ours(inputs, raw)
    peers: dict[str, tuple[Callable[[], object], float, str]] = {}
    few = inputs[:LAYER_ROWS, :LAYER_BLOCKS].detach().requires_grad_()
    share = ROWS * blocks / (LAYER_ROWS * LAYER_BLOCKS)
    if device == "cpu":
        for name in ("default.qubit", "lightning.qubit"):
            layers = [torchlayers.layer(name, weights) for weights in raw[:LAYER_BLOCKS]]
            _same(torchlayers.step(layers, few), expected[:LAYER_ROWS, :LAYER_BLOCKS])
            peers[f"TorchLayers on {name}"] = (lambda layers=layers: torchlayers.step(layers, few)), share, ">= 100"
    for name, peer in (("TorchQuantum", torchquantum_blocks), ("TensorCircuit-NG", tensorcircuit_blocks)):
        try:
            run = partial(peer.step, peer.load(), inputs, raw)
            _same(run(), expected)
            peers[name] = run, 1, ">= 20"
        except ImportError as error:
            section.missing[name] = str(error)
    times = interleaved(
        {
            "responses": responses,
            "ours": lambda: ours(inputs, raw),
            **{name: run for name, (run, _, _) in peers.items()},
        }
    )
    milliseconds = 1000 * sorted(times["responses"])[len(times["responses"]) // 2]
    section.value("weights to responses, forward and backward", milliseconds, f"{milliseconds:.1f} ms", "<= 15 ms")
    for name, (_, factor, goal) in peers.items():
        section.ratio(f"{name} / ours", times[name], times["ours"], goal, factor)
    return section


def _same(found: Tensor, expected: Tensor) -> None:
    """A peer that computes something else is no peer."""
    torch.testing.assert_close(found.to(expected.dtype), expected, atol=1e-5, rtol=0)
