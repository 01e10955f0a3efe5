"""Codes: how fast queries are compared with them, beside a product of floats, and which score ranks best on Lee."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from benchmarks.measure import Section, interleaved
from hybrid_qproj import PCAProjection, QuantumProjection
from hybrid_qproj.codec import Codec
from hybrid_qproj.codec.scheme import SCORES
from hybrid_qproj.fitting import FitSettings
from hybrid_qproj.heads.base import Head
from hybrid_qproj.heads.fixed import Uncompressed
from hybrid_qproj.heads.linear import stored_numbers
from hybrid_qproj.retrieval.lee import LeeCorpus, load_lee
from hybrid_qproj.retrieval.measures import evaluate_run, similarity_run
from hybrid_qproj.similarity.fidelity import pairwise_log_fidelity
from hybrid_qproj.text.encoders import load_encoder

ROWS, WIDTH, BYTES = 50_000, 256, 64
QUERIES = (1, 64)
SIZES = (64, 32, 16)
SCHEMES = ("bits", "signs")


def speed(section: Section) -> None:
    """Scores of codes against products and fidelities of the floats that they stand for."""
    generator = torch.Generator().manual_seed(0)
    spread = torch.linspace(0.1, 0.02, WIDTH)
    angles = math.pi / 2 + spread * torch.randn(ROWS, WIDTH, generator=generator)
    codecs = {score: Codec.fit(angles[:10_000], BYTES, score=score) for score in SCORES}
    codes = codecs["cosine"].encode(angles)
    shifted = angles - math.pi / 2
    for count in QUERIES:
        queries = angles[:count]
        runs = {
            "floats": partial(torch.mm, shifted, shifted[:count].T),
            "fidelity of floats": partial(pairwise_log_fidelity, queries, angles),
            **{score: partial(codec.scores, queries, codes) for score, codec in codecs.items()},
        }
        times = interleaved(runs, 5)
        setting = f"{ROWS:,} documents of {WIDTH} angles in {BYTES} bytes, {count} quer{'y' if count == 1 else 'ies'}"
        for score in ("cosine", "fidelity"):
            section.ratio(f"{setting}: {score} of codes / product of floats", times[score], times["floats"])
            section.ratio(
                f"{setting}: {score} of codes / fidelity of floats", times[score], times["fidelity of floats"]
            )
            pairs = count * ROWS / statistics.median(times[score])
            section.value(f"{setting}: documents a second, {score}", pairs, f"{pairs / 1e6:,.0f} million")


def heads(background: Tensor) -> Iterator[tuple[str, Head]]:
    """Heads fitted to the background texts."""
    rotation = FitSettings(mixing=4, merging="select")
    yield "embedding", Uncompressed(background.shape[1])
    yield "PCA, 256", PCAProjection.fit(background, 256)
    yield "treelet, 256", QuantumProjection.fit(background, 256)
    yield "treelet, 128", QuantumProjection.fit(background, 128)
    for outputs in (256, 128):
        settings = FitSettings(mixing=8, merging="select", angles=3072)
        yield f"8 mixing stages, 3,072 angles, {outputs}", QuantumProjection.fit(background, outputs, settings=settings)
    yield "4 mixing stages, all numbers", QuantumProjection.fit(background, background.shape[1], settings=rotation)


def ndcg(corpus: LeeCorpus, scores: Tensor) -> float:
    """NDCG@10, a mean over the corpus' documents as queries."""
    run = similarity_run(scores, [str(number) for number in range(len(corpus.documents))])
    values = evaluate_run(corpus.qrels(), run, ["NDCG@10"])["NDCG@10"]
    return sum(values.values()) / len(values)


def lee(section: Section) -> None:
    """NDCG@10 of each score; the mean over circuits' heads and sizes chooses the default."""
    corpus = load_lee()
    encoder = load_encoder("minilm")
    background, documents = (
        encoder.encode(texts, convert_to_tensor=True, device="cpu").float().clone()
        for texts in (corpus.background, corpus.documents)
    )
    found: dict[tuple[str, str], list[float]] = {}
    for name, head in heads(background):
        with torch.no_grad():
            training, outputs = head(background), head(documents)
        exact = ndcg(corpus, head.pairwise_similarity(outputs, outputs))
        section.value(f"Lee: {name}: floats", exact, f"{exact:.4f}")
        for scheme in SCHEMES:
            for size in SIZES:
                if scheme == "signs" and 8 * size > outputs.shape[1]:
                    continue
                values = {}
                for score in SCORES if head.has_circuits else SCORES[1:]:
                    codec = Codec.fit(training, size, scheme, similarity=head.similarity, score=score)
                    values[score] = ndcg(corpus, codec.scores(outputs, codec.encode(outputs)))
                    if head.has_circuits:
                        found.setdefault((scheme, score), []).append(values[score])
                numbers = stored_numbers(head) + codec.stored_numbers
                text = ", ".join(f"{score} {value:.4f}" for score, value in values.items())
                label = f"Lee: {name}: {scheme}, {size} bytes, {numbers:,} numbers"
                section.figures[label] = values
                section.lines.append((label, text, ""))
    for (scheme, score), values in found.items():
        mean = sum(values) / len(values)
        section.value(f"Lee: circuits' heads, {scheme}: mean by {score}", mean, f"{mean:.4f}")


def measure() -> Section:
    """Run the benchmark."""
    section = Section("Codes", f"'bits' in {BYTES} bytes for speed; NDCG@10 of frozen MiniLM on Lee for scores")
    speed(section)
    lee(section)
    return section
