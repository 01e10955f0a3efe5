"""Codes from a machine: how many bits noisy responses are worth, and what single shots of a document's state say.

Writes the two tables of docs/results.md, "Codes from a noisy machine":

1. The head's responses are measured with shots or noise, and its outputs then coded in fewer and fewer bits.
2. A document is what its qubits read when the last stage's circuits run once, three times, ... : a bit a qubit and
   shot, kept as their majority. A shot of a qubit at angle theta reads 1 with probability sin^2(theta/2); an output is
   a product state, so that qubits are drawn independently. Readout errors flip what is read.

``python -m benchmarks.code_shots``; Cranfield is left out, and said to be, where ir_datasets cannot find it.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from hybrid_qproj import QuantumProjection, __version__
from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.codec import Codec
from hybrid_qproj.errors import HybridQprojError
from hybrid_qproj.fitting import FitSettings
from hybrid_qproj.retrieval.collection import Collection, load_collection
from hybrid_qproj.retrieval.lee import load_lee
from hybrid_qproj.retrieval.measures import evaluate_run
from hybrid_qproj.text.encoders import load_encoder

OUT = Path(__file__).resolve().parents[1] / "docs" / "results"
GRADES = {1: 4, 2: 3, 3: 2, 4: 1, -1: 4}
"""Cranfield's run backwards."""
WIDTH = 128
"""k: 16 bytes are a bit an output."""
SIZES = (128, 64, 32, 16)
SEEDS = 5
DEVICES = (
    "default.qubit",
    "default.qubit?shots=10&seed={seed}",
    "default.qubit?shots=100&seed={seed}",
    "default.qubit?shots=1000&seed={seed}",
    "default.mixed?noise=depolarizing:0.01,readout:0.02",
)
SCALES = (1.0, 3.0, 10.0, 30.0)
"""Of the encoding: what is small is linear, what is large is read by few shots."""
SHOTS = (1, 3, 11, 101)
"""Odd: a majority has no ties."""
READOUT = (0.0, 0.02)
DEEP = 10
"""Documents of a query's ranking that count."""


class Texts(NamedTuple):
    """A collection, embedded.

    Attributes:
        name: for the table.
        fitted: embeddings that the head and the codec are fitted to, (n, 384).
        documents: embeddings, (m, 384).
        queries: embeddings, (q, 384).
        document_ids: of the documents.
        query_ids: of the queries.
        qrels: judgements.
    """

    name: str
    fitted: Tensor
    documents: Tensor
    queries: Tensor
    document_ids: list[str]
    query_ids: list[str]
    qrels: dict[str, dict[str, int]]

    def ndcg(self, scores: Tensor) -> float:
        """Mean NDCG@10 of scores, (q, m); a text that is its own query is left out."""
        run = {}
        for query, row in zip(self.query_ids, scores.double().tolist(), strict=True):
            if query in self.qrels:
                pairs = zip(self.document_ids, row, strict=True)
                ranked = sorted(pairs, key=lambda pair: pair[1], reverse=True)
                same = self.queries is self.documents
                run[query] = dict([(d, s) for d, s in ranked if not (same and d == query)][: 5 * DEEP])
        return float(np.mean(list(evaluate_run(self.qrels, run, ["NDCG@10"])["NDCG@10"].values())))


def texts() -> Iterator[Texts]:
    """Lee, and Cranfield where it is; embeddings of MiniLM."""
    encoder = load_encoder("minilm", device="cpu")

    def embed(given: list[str]) -> Tensor:
        return encoder.encode(given, convert_to_tensor=True, normalize_embeddings=True).clone()

    corpus = load_lee()
    documents, ids = embed(corpus.documents), [str(number) for number in range(len(corpus.documents))]
    yield Texts("Lee", embed(corpus.background), documents, documents, ids, ids, corpus.qrels())
    try:
        found: Collection = load_collection("cranfield", grades=GRADES)
        both = list(found.documents)
    except HybridQprojError as error:
        print(f"Cranfield left out: {error}", flush=True)
        return
    documents = embed([text for _, text in both])
    queries = embed(list(found.queries.values()))
    yield Texts(
        "Cranfield", documents, documents, queries, [name for name, _ in both], list(found.queries), found.qrels
    )


def coded(data: Texts) -> list[dict[str, object]]:
    """NDCG@10 by device and bytes; a seed each for what samples."""
    rows: list[dict[str, object]] = []
    head = QuantumProjection.fit(data.fitted, WIDTH)
    for device in DEVICES:
        seeds = range(SEEDS) if "{seed}" in device else range(1)
        values: dict[str, list[float]] = {}
        for seed in seeds:
            there = head.to_device(device.format(seed=seed)).eval()
            with torch.no_grad():
                fitted, documents, queries = (there(x) for x in (data.fitted, data.documents, data.queries))
            values.setdefault("float32", []).append(data.ndcg(there.pairwise_similarity(queries, documents)))
            for size in SIZES:
                codec = Codec.fit(fitted, size)
                values.setdefault(str(size), []).append(data.ndcg(codec.scores(queries, codec.encode(documents))))
        for size, found in values.items():
            name = device.replace("&seed={seed}", "")
            rows.append({"collection": data.name, "device": name, "bytes": size, **_spread(found)})
            print(rows[-1], flush=True)
    return rows


def shots(data: Texts) -> list[dict[str, object]]:
    """NDCG@10 by scale, readout error and shots a document; the exact signs and angles beside it."""
    rows: list[dict[str, object]] = []
    for scale in SCALES:
        head = QuantumProjection.fit(
            data.fitted, WIDTH, settings=FitSettings(), scale=scale, normalize_output=False
        ).eval()
        with torch.no_grad():
            z_fitted, z_documents, z_queries = (head(x).cos() for x in (data.fitted, data.documents, data.queries))
        centre = z_fitted.mean(dim=0)
        query = torch.nn.functional.normalize(z_queries - centre, dim=1)

        def score(read: Callable[[Tensor], Tensor], query: Tensor = query, z: Tensor = z_documents) -> float:
            """The cosine of a query in float with what is read of the documents, both from its mean."""
            bits = read(z)
            bits = torch.nn.functional.normalize(bits - bits.mean(dim=0), dim=1)
            return data.ndcg(query @ bits.T)

        spread = float((z_documents - centre).square().mean().sqrt())
        about = {"collection": data.name, "scale": scale, "deviation": spread}
        rows.append({**about, "readout": 0.0, "shots": "exact <Z>", **_spread([score(lambda z: z)])})
        most_likely = _spread([score(lambda z: z.sign())])
        rows.append({**about, "readout": 0.0, "shots": "most likely outcome", **most_likely})
        for error in READOUT:
            for count in SHOTS:
                found = []
                for seed in range(SEEDS):
                    generator = torch.Generator().manual_seed(seed)

                    def majority(
                        z: Tensor, error: float = error, count: int = count, generator: torch.Generator = generator
                    ) -> Tensor:
                        # Flipped with the error's probability, <Z> shrinks by twice of it.
                        zeros = (1 + (1 - 2 * error) * z.double()) / 2
                        return 2 * torch.binomial(torch.full_like(zeros, count), zeros, generator=generator) - count

                    found.append(score(lambda z, majority=majority: majority(z).sign().float()))
                rows.append({**about, "readout": error, "shots": str(count), **_spread(found)})
                print(rows[-1], flush=True)
    return rows


def _spread(values: list[float]) -> dict[str, object]:
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"ndcg": float(np.mean(values)), "sd": sd, "seeds": len(values)}


def _shown(row: dict[str, object]) -> str:
    sd = row["sd"]
    return f"{row['ndcg']:.4f}" + (f" ± {sd:.4f}" if sd is not None else "")


def tables(by_bits: list[dict[str, object]], by_shots: list[dict[str, object]]) -> str:
    """Both as Markdown."""
    lines = []
    for name in dict.fromkeys(row["collection"] for row in by_bits):
        mine = [row for row in by_bits if row["collection"] == name]
        sizes = list(dict.fromkeys(row["bytes"] for row in mine))
        lines += [f"{name}, responses measured on a device, then coded (bytes a document):", ""]
        lines += ["| device | " + " | ".join(map(str, sizes)) + " |", "|---|" + "--:|" * len(sizes)]
        for device in dict.fromkeys(row["device"] for row in mine):
            cells = [_shown(row) for row in mine if row["device"] == device]
            lines.append(f"| `{device}` | " + " | ".join(cells) + " |")
        lines.append("")
    for name in dict.fromkeys(row["collection"] for row in by_shots):
        mine = [row for row in by_shots if row["collection"] == name]
        columns = list(dict.fromkeys((row["readout"], row["shots"]) for row in mine))
        titles = [f"{shots}" + (f", readout {error:g}" if error else "") for error, shots in columns]
        lines += [f"{name}, {WIDTH // 8} bytes: the majority of so many shots a document:", ""]
        lines += ["| scale | deviation of <Z> | " + " | ".join(titles) + " |", "|--:|--:|" + "--:|" * len(columns)]
        for scale in dict.fromkeys(row["scale"] for row in mine):
            found = {(row["readout"], row["shots"]): row for row in mine if row["scale"] == scale}
            deviation = next(iter(found.values()))["deviation"]
            cells = [_shown(found[column]) for column in columns]
            lines.append(f"| {scale:g} | {deviation:.3f} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Run both, write tables and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="folder of codes-shots.md and codes-shots.json")
    given = parser.parse_args()
    torch.manual_seed(0)
    by_bits, by_shots = [], []
    for data in texts():
        by_bits += coded(data)
        by_shots += shots(data)
    setting = {
        "hybrid_qproj": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "encoder": "minilm",
        "k": WIDTH,
        "seeds": SEEDS,
    }
    given.out.mkdir(parents=True, exist_ok=True)
    content = {"setting": setting, "coded": by_bits, "shots": by_shots}
    write_atomically(given.out / "codes-shots.json", json.dumps(content, indent=1).encode())
    write_atomically(given.out / "codes-shots.md", tables(by_bits, by_shots).encode())


if __name__ == "__main__":
    main()
