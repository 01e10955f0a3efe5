"""The head, all pairs, responses and a training step, each against what the card can do."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.gpu.timing import copy_bandwidth, matrix_rate, peak_memory_of, seconds
from benchmarks.measure import Section, number
from hybrid_qproj import ClassicalProjection, QuantumProjection, pairwise_log_fidelity, top_k_fidelity

D, K = 768, 256


@dataclass(frozen=True)
class Sizes:
    """How much is computed.

    Attributes:
        rows: batches of embeddings.
        pairs: queries, documents and width of all pairs.
        search: queries, documents and width of a search.
        copied: numbers of the copy that bandwidth is measured by.
        matrix: rows of the square matrix product.
        texts: texts of a training step, and tokens of each.
        layers: layers of the encoder.
    """

    rows: tuple[int, ...] = (4096, 65_536, 1_048_576)
    pairs: tuple[int, int, int] = (4096, 65_536, 256)
    search: tuple[int, int, int] = (1024, 1_000_000, 128)
    copied: int = 1 << 29
    matrix: int = 8192
    texts: tuple[int, int] = (512, 128)
    layers: int = 6


DRY = Sizes((64, 256), (16, 256, 256), (8, 1000, 32), 1 << 16, 64, (4, 8), 1)


def angles(rows: int, width: int, device: str, dtype: torch.dtype = torch.float32) -> Tensor:
    """Angles spread as a head's are."""
    return torch.randn(rows, width, device=device).mul_(0.4).add_(math.pi / 2).clamp_(0.01, math.pi - 0.01).to(dtype)


def head(device: str, sizes: Sizes) -> Section:
    """Forward and backward as shares of the bandwidth of a copy: a head must read d and write k numbers a row."""
    torch.manual_seed(0)
    section = Section(f"Head, {D} to {K}", "responses known, published chain; bytes are those of input and output")
    copied = copy_bandwidth(device, sizes.copied)
    section.value("copy", copied, f"{copied / 1e12:.3g} TB/s")
    base = QuantumProjection.paper(D, K).to(device).eval().requires_grad_(requires_grad=False)
    fused = QuantumProjection.paper(D, K).to(device).eval().requires_grad_(requires_grad=False)
    fused.compile()
    linear = ClassicalProjection(D, K).to(device)
    compiled = torch.compile(linear)
    for rows in sizes.rows:
        for dtype in (torch.float32, torch.float64):
            if dtype is torch.float64 and rows != sizes.rows[1]:
                continue
            x = torch.randn(rows, D, device=device, dtype=dtype)
            size = x.element_size() * rows * (D + K)
            runs: dict[str, nn.Module] = {"uncompiled": base, "compiled": fused}
            if dtype is torch.float32:
                runs |= {"linear + tanh": linear, "linear + tanh, compiled": compiled}
            for name, module in runs.items():
                label = f"{name}, {rows:,} rows, {str(dtype).removeprefix('torch.')}"
                goal = ">= 70 %" if name == "compiled" and dtype is torch.float32 else ""
                with torch.no_grad():
                    share = 100 * size / seconds(lambda module=module, x=x: module(x)) / copied
                section.value(f"forward, {label}", share, f"{number(share)} % of the copy's bytes a second", goal)
                leaf = x.clone().requires_grad_()

                def step(module: nn.Module = module, leaf: Tensor = leaf) -> None:
                    leaf.grad = None
                    module(leaf).sum().backward()

                # Reads the embeddings twice and the output's gradient, writes output and gradient.
                moved = x.element_size() * rows * (3 * D + 2 * K)
                share = 100 * moved / seconds(step, 10) / copied
                section.value(f"forward and backward, {label}", share, f"{number(share)} % of the copy's", goal)
    return section


def pairs(device: str, sizes: Sizes) -> Section:
    """Log fidelity of all pairs; three operations a pair and angle."""
    torch.manual_seed(0)
    queries, documents, width = sizes.pairs
    section = Section("Log fidelity of all pairs", f"{queries:,} x {documents:,} x {width}")
    peak = matrix_rate(device, sizes.matrix)
    section.value("float32 matrix product, TF32 off", peak, f"{peak / 1e12:.3g} TFLOP/s")
    for dtype in (torch.float32, torch.float64):
        a, b = angles(queries, width, device, dtype), angles(documents, width, device, dtype)
        name = str(dtype).removeprefix("torch.")
        exact = pairwise_log_fidelity(a[:256].double().cpu(), b[:1024].double().cpu())
        error = (pairwise_log_fidelity(a[:256], b[:1024]).double().cpu() - exact).abs().max().item()
        section.value(f"largest error, {name}", error, f"{error:.1e}", "<= 1e-4")
        with torch.no_grad():
            ours = seconds(lambda a=a, b=b: pairwise_log_fidelity(a, b), 5)
            product = seconds(lambda a=a, b=b: a @ b.T, 5)
        rate = 3 * queries * documents * width / ours
        goal = ">= 50 %" if dtype is torch.float32 else ""
        section.value(
            f"forward, {name}", rate, f"{rate / 1e12:.3g} TFLOP/s, {100 * rate / peak:.3g} % of float32", goal
        )
        section.value(f"forward / matrix product, {name}", ours / product, number(ours / product))
    a, b = angles(queries, width, device).requires_grad_(), angles(documents, width, device).requires_grad_()
    both = seconds(lambda: pairwise_log_fidelity(a, b).sum().backward(), 3, 1)
    product = seconds(lambda: (a @ b.T).sum().backward(), 3, 1)
    section.value("forward and backward / matrix product's", both / product, number(both / product))
    taken = peak_memory_of(lambda: pairwise_log_fidelity(a, b).sum().backward())
    section.value(
        "memory of a step / scores", taken / (4 * queries * documents), number(taken / 4 / queries / documents)
    )
    return section


def responses(device: str, sizes: Sizes) -> Section:
    """Weights to response tensors: the circuits of a training step."""
    torch.manual_seed(0)
    section = Section("Responses", f"{D} to {K}, published chain, default.qubit; weights to responses and back")
    module = QuantumProjection.paper(D, K).to(device).train()
    x = torch.randn(8, D, device=device)

    def step() -> None:
        module.zero_grad(set_to_none=True)
        module(x).sum().backward()

    milliseconds = 1000 * seconds(step)
    section.value("step of a head on 8 rows", milliseconds, f"{milliseconds:.2f} ms", "<= 3 ms")
    return section


def training(device: str, sizes: Sizes) -> Section:
    """A training step and encoding of a BERT of MiniLM's size, with random weights, alone and with a head."""
    from transformers import BertConfig, BertModel  # noqa: PLC0415 - the extra 'text'

    torch.manual_seed(0)
    texts, tokens = sizes.texts
    section = Section("Beside an encoder", f"BERT of MiniLM's size, random weights, {texts} texts of {tokens} tokens")
    config = BertConfig(hidden_size=384, num_hidden_layers=sizes.layers, num_attention_heads=12, intermediate_size=1536)
    encoder = BertModel(config, add_pooling_layer=False).to(device)
    module = QuantumProjection(384, 128, "u_cu", plan="tree", scale=2.0).to(device)
    words = torch.randint(1000, 30_000, (texts, tokens), device=device)

    def embed() -> Tensor:
        return encoder(input_ids=words).last_hidden_state.mean(dim=1)

    def step(with_head: bool, dtype: torch.dtype | None) -> None:
        encoder.train().zero_grad(set_to_none=True)
        module.train().zero_grad(set_to_none=True)
        with torch.autocast(torch.device(device).type, dtype=dtype or torch.bfloat16, enabled=dtype is not None):
            embeddings = embed()
        embeddings = embeddings.float()
        if with_head:
            outputs = module(embeddings)
            loss = -pairwise_log_fidelity(outputs, outputs.detach()).log_softmax(dim=1).diagonal().mean()
        else:
            loss = -(embeddings @ embeddings.detach().T).log_softmax(dim=1).diagonal().mean()
        loss.backward()

    for name, dtype in (("float32", None), ("bfloat16 autocast", torch.bfloat16)):
        alone = seconds(lambda dtype=dtype: step(with_head=False, dtype=dtype), 5)
        both = seconds(lambda dtype=dtype: step(with_head=True, dtype=dtype), 5)
        text = f"{number(100 * (both / alone - 1))} %, {texts / both:,.0f} texts a second"
        section.value(f"what head and fidelity add to a step, {name}", both / alone - 1, text, "<= 5 %")
    encoder.eval()
    module.eval()
    with torch.no_grad(), torch.autocast(torch.device(device).type, dtype=torch.bfloat16):
        alone, both = seconds(embed, 5), seconds(lambda: module(embed().float()), 5)
    text = f"{number(100 * (both / alone - 1))} %, {texts / both:,.0f} texts a second"
    section.value("what the head adds to encoding, bfloat16 autocast", both / alone - 1, text, "<= 1 %")
    return section


def search(device: str, sizes: Sizes) -> Section:
    """The 100 best of many documents, exhaustively and exactly."""
    torch.manual_seed(0)
    queries, documents, width = sizes.search
    section = Section("Exhaustive search", f"top 100 of {documents:,} x {width}, {queries:,} queries in one call")
    a, b = angles(queries, width, device), angles(documents, width, device)
    _, places = top_k_fidelity(a, b, 100)
    exact = pairwise_log_fidelity(a[:4].double().cpu(), b.double().cpu()).topk(100)
    share = (places[:4].cpu()[:, :, None] == exact.indices[:, None, :]).any(1).double().mean().item()
    section.value("recall@100 against float64 on the CPU, 4 queries", share, f"{share:.4f}", ">= 0.99")
    ours = seconds(lambda: top_k_fidelity(a, b, 100), 3, 1)
    product = seconds(lambda: (a @ b.T).topk(100), 3, 1)
    section.value("queries a second", queries / ours, f"{queries / ours:,.0f}")
    section.value("time / (matrix product and topk)", ours / product, number(ours / product), "<= 2")
    return section
