"""Forty short texts of words that the tiny models know."""

_WORDS = ["a", "quantum", "cat", "sat", "on", "the", "mat", "state"]
TEXTS = [f"{_WORDS[i % 8]} {_WORDS[i // 8]} {_WORDS[(3 * i + 1) % 7]}" for i in range(40)]
