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
    tokenizer = transformers.BertTokenizerFast(vocab={word: i for i, word in enumerate(WORDS)})
    # From a file, some versions read special tokens only, and all words are unknown alike.
    assert tokenizer("a cat")["input_ids"] == [2, 5, 7, 3]
    return tokenizer


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


def tiny_configs():
    """Name -> a function that makes a random two-layer model, of architectures that count tokens in different ways."""
    t = pytest.importorskip("transformers", reason="needs the extra 'text'")
    common = {"vocab_size": len(WORDS), "num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": WIDTH}
    common["intermediate_size"] = 32
    modern = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
    return {
        # 34 rows of positions are 32 tokens.
        "roberta": lambda: t.RobertaModel(t.RobertaConfig(**common, max_position_embeddings=34, pad_token_id=1)),
        "mpnet": lambda: t.MPNetModel(t.MPNetConfig(**common, max_position_embeddings=34)),
        # Nothing about positions, which are relative.
        "t5": lambda: t.T5EncoderModel(
            t.T5Config(vocab_size=len(WORDS), d_model=WIDTH, d_kv=12, d_ff=32, num_layers=2, num_heads=2)
        ),
        # Rotary positions.
        "modernbert": lambda: t.ModernBertModel(t.ModernBertConfig(**common, **modern, max_position_embeddings=64)),
    }


def save_tiny(name: str, folder: Path) -> Path:
    """A model of `tiny_configs` with a tokenizer, saved to a folder."""
    tokenizer = _tokenizer(folder)
    torch.manual_seed(0)
    tiny_configs()[name]().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def static_embedding(width: int = WIDTH):
    """A random module of static embeddings."""
    tokenizers = pytest.importorskip("tokenizers", reason="needs the extra 'text'")
    modules = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token=WORDS[1])
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    torch.manual_seed(1)
    return modules.StaticEmbedding(tokenizer, embedding_dim=width)
