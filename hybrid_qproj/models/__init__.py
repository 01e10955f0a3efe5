"""Encoders with a head as sentence-transformers models: similarity, files, cards, and what their files may say."""
