"""A small experiment on local files, for tests of the commands."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

SUBJECTS = ["cat", "quantum", "state", "mat"]
OBJECTS = ["the cat", "a mat", "the state", "a quantum"]

CONFIG = """
name = "small"
sizes = [3]
seeds = 2
fractions = [2, 4]
measures = ["NDCG@10", "MRR@10"]
baselines = ["full", "linear"]
pools = {{ "all" = ["judged", "whole"] }}

[encoder]
name = "{encoder}"
max_tokens = 16
layers = [{layers}]
cache = "cache"

[labels]
source = {{ judged = "train.jsonl" }}
negatives = 2

[texts]
source = {{ documents = "corpus.tsv" }}

[[test]]
name = "judged"
documents = "corpus.tsv"
queries = "topics.tsv"
qrels = "qrels"
protocol = "judged"

[[test]]
name = "whole"
documents = "corpus.tsv"
queries = "topics.tsv"
qrels = "qrels"
protocol = "retrieve"
depth = 20
{extra}
[training]
steps = 4
batch_size = 6
learning_rate = 1e-2

[objectives.labels]
labels = {{ log = true, learn_scale = true }}

[objectives.both]
labels = {{ log = true }}
texts = {{}}
training = {{ batch_size = 4 }}

[heads.full]
kind = "Uncompressed"

[heads.PCA]
kind = "PCAProjection"

[heads.random]
kind = "RandomProjection"

[heads.linear]
kind = "ClassicalProjection"

[heads."low-rank"]
kind = "LowRankLinear"
parameters_of = "quantum"

[heads.quantum]
kind = "QuantumProjection"
args = {{ circuit = "u_cu", scale = 1.0 }}
training = {{ learning_rate = 5e-2 }}
"""


def write_experiment(
    folder: Path, encoder: Path, layers: str = "0", extra: str = "", drop: tuple[str, ...] = ()
) -> Path:
    """Write the data and the configuration; returns the latter's path."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = [f"the {s} sat on {o} {x}" for s, o, x in product(SUBJECTS, OBJECTS, ("", "on the mat"))]
    (folder / "corpus.tsv").write_text("".join(f"d{i}\t{text}\n" for i, text in enumerate(texts)))
    (folder / "topics.tsv").write_text("".join(f"t{i}\t{s} {OBJECTS[i]}\n" for i, s in enumerate(SUBJECTS)))
    (folder / "qrels").write_text("".join(f"t{i} 0 d{8 * i + j} {j % 3}\n" for i in range(4) for j in range(8)))
    lines = [
        {
            "qid": f"q{i}",
            "query": f"a {s}",
            "passages": [{"docid": f"d{8 * i + j}", "rel": j % 4, "text": texts[8 * i + j]} for j in range(8)],
        }
        for i, s in enumerate(SUBJECTS)
    ]
    (folder / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    text = CONFIG.format(encoder=encoder, layers=layers, extra=extra)
    for head in drop:
        start = text.index(f"[heads.{head}]")
        end = text.find("[heads", start + 1)
        text = text[:start] + (text[end:] if end > 0 else "")
    (folder / "config.toml").write_text(text)
    return folder / "config.toml"
