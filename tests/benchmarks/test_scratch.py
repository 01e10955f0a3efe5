"""Pairs of a sentence and the passage it was taken from."""

from __future__ import annotations

import pytest

for _module in ("datasets", "sentence_transformers", "pydantic", "pytrec_eval", "matplotlib"):
    pytest.importorskip(_module, reason="needs the extra 'train'")

from benchmarks import scratch  # noqa: E402


def test_a_sentence_and_the_rest(tmp_path, monkeypatch):
    """Gone from its passage; passages of one sentence, and of shreds, give no pair; the same each time."""
    passages = tmp_path / "passages.tsv"
    passages.write_text(
        "a\tA cat sat on it. A dog lay beside the cat. Nobody else was there that day.\n"
        "b\tA single sentence is all there is\n"
        "c\tToo short. One two.\n"
    )
    monkeypatch.setattr(scratch, "PASSAGES", passages)
    (pair,) = scratch.pairs()
    assert list(scratch.pairs()) == [pair]
    sentences = ["A cat sat on it.", "A dog lay beside the cat.", "Nobody else was there that day."]
    assert pair["query"] in sentences
    assert pair["positive"] == " ".join(s for s in sentences if s != pair["query"])
    assert pair["negatives"] == []
