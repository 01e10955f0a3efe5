"""The head's share of a step of an encoder, in training and in inference: all-MiniLM-L6-v2 on the Lee corpus."""

from __future__ import annotations

import statistics

import torch

from benchmarks.measure import Section, interleaved, number
from hybrid_qproj import QuantumProjection
from hybrid_qproj.retrieval.lee import load_lee
from hybrid_qproj.text.encoders import load_encoder

TEXTS = 384
TOKENS = 64


def measure(device: str = "cpu") -> Section:
    """Run the benchmark."""
    torch.manual_seed(0)
    section = Section("Beside an encoder", f"all-MiniLM-L6-v2, {TEXTS} texts of {TOKENS} tokens, head 384 to 128")
    encoder = load_encoder("minilm").to(device)
    corpus = load_lee()
    texts = [*corpus.documents, *corpus.background]
    encoder.max_seq_length = TOKENS
    features = encoder.preprocess((texts * 2)[:TEXTS])
    features = {name: value.to(device) for name, value in features.items() if isinstance(value, torch.Tensor)}
    head = QuantumProjection(384, 128, "u_cu", plan="tree", scale=2.0).to(device)
    embeddings = torch.randn(TEXTS, 384, device=device)
    leaf = embeddings.clone().requires_grad_()

    def train_encoder() -> None:
        encoder.zero_grad(set_to_none=True)
        encoder.train()(dict(features))["sentence_embedding"].sum().backward()

    def train_head() -> None:
        head.zero_grad(set_to_none=True)
        leaf.grad = None
        head.train()(leaf).sum().backward()

    @torch.no_grad()
    def infer_encoder() -> None:
        encoder.eval()(dict(features))

    @torch.no_grad()
    def infer_head() -> None:
        head.eval()(embeddings)

    times = interleaved(
        {"train": train_encoder, "train head": train_head, "infer": infer_encoder, "infer head": infer_head}, 3
    )
    middle = {name: statistics.median(values) for name, values in times.items()}
    training = 100 * middle["train head"] / (middle["train"] + middle["train head"])
    inference = 100 * middle["infer head"] / middle["infer"]
    section.figures["texts a second"] = TEXTS / middle["infer"]
    section.value("head's share of a training step, its circuits included", training, f"{number(training)} %", "<= 2 %")
    section.value("head / encoder in inference", inference, f"{number(inference)} %", "<= 1 %")
    return section
