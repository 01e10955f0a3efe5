"""Tiny random transformers for tests of the text side, built and saved as real ones are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "quantum", "cat", "sat", "on", "the", "mat", "state"]
WIDTH = 24
LAYERS = 3


def _tokenizer(folder: Path):
    transformers = pytest.importorskip("transformers", reason="needs the extra 'text'")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    return transformers.BertTokenizerFast(vocab_file=str(folder / "vocab.txt"))


def save_tiny_bert(folder: Path) -> Path:
    """A random three-layer BERT with its tokenizer, saved to a folder."""
    tokenizer = _tokenizer(folder)
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    transformers.BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_tiny_distilbert(folder: Path) -> Path:
    """A random three-layer DistilBERT with its tokenizer, saved to a folder."""
    tokenizer = _tokenizer(folder)
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.DistilBertConfig(
        vocab_size=len(WORDS), dim=WIDTH, n_layers=LAYERS, n_heads=2, hidden_dim=32, max_position_embeddings=32
    )
    transformers.DistilBertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
