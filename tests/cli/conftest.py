"""Fixtures of the commands' tests."""

from __future__ import annotations

import pytest

WORDS = ["cat", "dog", "rain", "bank", "river", "money", "law", "sun"]


@pytest.fixture
def corpus(tmp_path):
    """A file of fifty short texts."""
    lines = [f"d{i}\t{WORDS[i % 8]} {WORDS[(i // 8) % 8]} {WORDS[(i * 3) % 8]}\n" for i in range(50)]
    (tmp_path / "corpus.tsv").write_text("".join(lines))
    return tmp_path / "corpus.tsv"
