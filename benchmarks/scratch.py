"""Training from scratch on little data: the second claim of arXiv:2501.04591, as far as it can be tested on a CPU.

Makes what examples/scratch needs (a two-layer BERT; pairs of a sentence and the passage that it was taken from), runs
its experiments, and writes the tables and figures of docs/results.md. Needs ../shared/data beside the checkout.
Interrupted runs go on; names choose some: python -m benchmarks.scratch main
"""

from __future__ import annotations

import json
import random
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from transformers import BertConfig, BertModel

from hybrid_qproj._util.files import write_atomically
from hybrid_qproj.cli.run.compare import run_compare
from hybrid_qproj.experiments.comparisons import compare
from hybrid_qproj.experiments.config import load_config
from hybrid_qproj.experiments.tables import comparisons_to_markdown, rows_to_markdown
from hybrid_qproj.retrieval.document_files import open_documents
from hybrid_qproj.text.encoders import load_encoder

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "examples" / "scratch"
CACHE = ROOT / ".cache" / "scratch"
PASSAGES = ROOT.parent / "shared" / "data" / "train" / "msmarco-v2.passages.tsv"
TABLES = ROOT / "docs" / "results"
IMAGES = ROOT / "docs" / "images"
MEASURE = "NDCG@10"
EXPERIMENTS = ("main", "ablation")
SHAPE = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 512}
"""Of BERT-tiny (arXiv:1908.08962)."""
LEAST_WORDS = 4
"""Of a sentence that serves as a query."""


def main() -> None:
    if not PASSAGES.is_file():
        sys.exit("../shared/data is not beside this checkout: training from scratch cannot be run here")
    prepare()
    for name in sys.argv[1:] or EXPERIMENTS:
        run(name)


def run(name: str) -> None:
    """Run an experiment; write its tables and its figure."""
    path, out = CONFIGS / f"{name}.toml", ROOT / "results" / f"scratch-{name}"
    config = load_config(path)
    rows = run_compare(path, out)
    write_atomically(TABLES / f"scratch-{name}.md", rows_to_markdown(rows, MEASURE).encode())
    (pool,) = config.pools
    comparisons = [c for baseline in config.baselines for c in compare(rows, baseline, pool, MEASURE)]
    write_atomically(TABLES / f"scratch-{name}-tests.md", comparisons_to_markdown(comparisons).encode())
    if len(config.fractions) > 1:
        shutil.copy(out / "curves.svg", IMAGES / f"scratch-{name}-curves.svg")


def prepare() -> None:
    """What the experiments read, made once."""
    CACHE.mkdir(parents=True, exist_ok=True)
    if not (CACHE / "pairs.jsonl").is_file():
        lines = (json.dumps(pair, ensure_ascii=False) for pair in pairs())
        write_atomically(CACHE / "pairs.jsonl", ("\n".join(lines) + "\n").encode())
    if not (CACHE / "bert").is_dir():
        partial = CACHE / "bert.partial"
        shutil.rmtree(partial, ignore_errors=True)
        tokenizer = load_encoder("minilm", device="cpu").tokenizer
        # Its weights do not matter: experiments draw them anew with each seed.
        BertModel(BertConfig(vocab_size=len(tokenizer), **SHAPE)).save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        partial.rename(CACHE / "bert")


def pairs() -> Iterator[dict[str, object]]:
    """The inverse cloze task (arXiv:1906.00300): a sentence of a passage, and the passage without it."""
    draw = random.Random(0)  # noqa: S311 - no secret
    for document in open_documents(PASSAGES):
        sentences = re.split(r"(?<=[.!?])\s+", document.text.strip())
        if len(sentences) == 1:
            continue
        place = draw.randrange(len(sentences))
        rest = " ".join(sentences[:place] + sentences[place + 1 :])
        if len(sentences[place].split()) >= LEAST_WORDS and len(rest.split()) >= LEAST_WORDS:
            yield {"query": sentences[place], "positive": rest, "negatives": []}


if __name__ == "__main__":
    main()
